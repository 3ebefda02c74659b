"""Puts the parts together: from a Config to a pipeline, a site and a factory. Starts nothing, listens to nothing."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool

from eve_proxy.audit.journal import Journal
from eve_proxy.audit.recent import Recent
from eve_proxy.audit.suppression import Suppressor
from eve_proxy.config import Config, parse
from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.discover import declared_variables, discover
from eve_proxy.enforcement.admin import Admin, Readiness
from eve_proxy.enforcement.admission import Admission
from eve_proxy.enforcement.certificates import Certificates
from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.enforcement.gate import Gate
from eve_proxy.enforcement.posture_reports import PostureReports
from eve_proxy.enforcement.router import Router
from eve_proxy.governance.address import Kind
from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.credential import AuthStyle, Credential
from eve_proxy.governance.deadline import race
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.hosted import HostedGovernor
from eve_proxy.governance.redaction import Redactor
from eve_proxy.governance.witness import Witnesses
from eve_proxy.interfaces import IAuditSink, IClock, IEntropy, IGovernor, IPreFilter, IResolver, JudgeAddress, Stage
from eve_proxy.metrics.exposition import Exposition
from eve_proxy.metrics.reading import Watched, read
from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.pdp.embedded import EmbeddedGovernor
from eve_proxy.policy.destinations import Destinations
from eve_proxy.policy.mandatory import mandatory_prefilters
from eve_proxy.system import SystemClock, SystemEntropy
from eve_proxy.transport.factory import ProxyFactory
from eve_proxy.transport.governance_http import GovernanceHttp
from eve_proxy.transport.limits import BufferAccount, Limits
from eve_proxy.transport.locality import is_own_address
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.resolver import Resolver
from eve_proxy.transport.tls import load_client_tls
from eve_proxy.transport.way_out import WayOut
from eve_proxy.way_out import build_way_out, governance_parent, parent_faults, ways


def configure(environ: Mapping[str, str]) -> tuple[Config, Sequence[IPreFilter]]:
    """The configuration and its pre-filters.

    :raises ConfigurationError: every fault at once.
    """
    config = parse(environ, declared=declared_variables)
    faults: list[str] = []
    plugins: Sequence[IPreFilter] = ()
    try:
        plugins = discover(config.prefilters, config.settings())
    except ConfigurationError as error:
        faults += error.faults
    try:
        client_tls(config)
    except ValueError as error:
        faults.append(str(error))
    faults += parent_faults(config)
    if faults:
        raise ConfigurationError(tuple(sorted(faults)))
    return config, plugins


def off_reactor(reactor: Any) -> Callable[..., Any]:
    """``offload(function, *arguments)`` on the reactor's thread pool."""

    def offload(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return offload


def destinations(config: Config, own_ports: set[int], listeners: Collection[tuple[str, int]] = ()) -> Destinations:
    """The judge of addresses; our own listeners are denied.

    :param own_ports: denied at EVE_PROXY_HOST.
    :param listeners: those that may be elsewhere too: for redirected connections, or opened by a service manager.
    """
    host = ip_address(config.host)
    own: set[tuple[IPAddress | None, int]] = {(host, port) for port in own_ports}
    own |= {(ip_address(address), port) for address, port in listeners}
    if config.metrics_port:
        own.add((None, config.metrics_port))
    return Destinations(config.allowed_networks, own, is_own_address, blocked=config.blocked_hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service starts, asks and stops.

    :ivar watched: what is counted; to be settled every ``counting.SETTLE_SECONDS``.
    """

    pipeline: Pipeline
    router: Router
    factory: ProxyFactory
    dialler: WayOut
    governor: IGovernor
    governance: GovernanceHttp | None
    exposition: Exposition
    watched: Watched


def compose(
    config: Config,
    *,
    reactor: Any,
    journal: Journal,
    own_ports: set[int],
    plugins: Sequence[IPreFilter],
    suppressor: Suppressor,
    jwks: Callable[[], bytes],
    write_line: Callable[[bytes], object],
    listeners: Collection[tuple[str, int]] = (),
) -> Parts:
    """Build everything behind the listening socket.

    :param own_ports: the ports we serve; known by now. EVE_PROXY_METRICS_PORT is not one of them.
    :param plugins: the pre-filters that were discovered; the always-on rules run before them.
    :param jwks: the document that is published.
    :param listeners: address and port of each listening socket.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    judge_address = destinations(config, own_ports, listeners).judge
    ends = OwnEnds({*own_ports, config.metrics_port})
    resolver, account = Resolver(reactor, reactor), BufferAccount(config.max_buffered)
    governor, governance = build_governor(
        config,
        reactor=reactor,
        clock=clock,
        chain_head=lambda: journal.durable_head,
        ends=ends,
        resolver=resolver,
        account=account,
    )
    pipeline = build_pipeline(
        config,
        reactor=reactor,
        governor=governor,
        sink=journal,
        resolver=resolver,
        judge_address=judge_address,
        plugins=plugins,
        clock=clock,
        entropy=entropy,
    )
    gate = Gate(
        pipeline=pipeline,
        admission=Admission(clients=config.allowed_clients, suppressor=suppressor, pipeline=pipeline),
        log=DecisionLog(write_line, clock),
        clock=clock,
        entropy=entropy,
        org_id=config.org_id,
        connect_sni=config.connect_sni,
        outcome=journal.outcome,
        transparent_verify=config.transparent_verify,
        transparent_unnamed=config.transparent_unnamed,
    )
    dialler = build_way_out(config, reactor=reactor, resolver=resolver, ends=ends)
    listening = ip_address(config.host)
    readiness = _readiness(config, journal, governor, lambda: factory.draining)
    exposition = Exposition(lambda: read(watched), clock)
    router = Router(
        gate,
        Admin(
            readiness=readiness,
            certificates=_certificates(config, journal, off_reactor(reactor)),
            postures=PostureReports(note=journal.note, suppressor=suppressor),
            jwks=jwks,
            metrics=exposition.render,
        ),
    )
    factory = ProxyFactory(
        router,
        dialler=dialler,
        limits=Limits(max_body=config.max_body, max_connections=config.max_connections),
        account=account,
        clock=reactor,
        default_authority=Authority(host=config.host, port=config.port or max(own_ports), address=listening),
    )
    watched = Watched(
        counts=gate.log.counts,
        factory=factory,
        governor=governor if isinstance(governor, HostedGovernor) else None,
        journal=journal,
        suppressor=suppressor,
        readiness=readiness,
        fail_open=not config.fail_closed,
        monotonic=clock.monotonic,
    )
    return Parts(
        pipeline=pipeline,
        router=router,
        factory=factory,
        dialler=dialler,
        governor=governor,
        governance=governance,
        exposition=exposition,
        watched=watched,
    )


def build_pipeline(
    config: Config,
    *,
    reactor: Any,
    governor: IGovernor,
    sink: IAuditSink,
    resolver: IResolver,
    judge_address: JudgeAddress,
    plugins: Sequence[IPreFilter],
    clock: IClock,
    entropy: IEntropy,
) -> Pipeline:
    """The pipeline as the daemon runs it, and as ``eve-proxy check`` rehearses it."""
    always = mandatory_prefilters(
        judge_address=judge_address,
        connect_ports=config.connect_ports,
        connect_passthrough=config.connect_passthrough,
    )
    filters = (*always, *plugins)
    return Pipeline(
        head_filters=[prefilter for prefilter in filters if prefilter.stage is Stage.HEAD],
        body_filters=[prefilter for prefilter in filters if prefilter.stage is Stage.BODY],
        governor=governor,
        sink=sink,
        resolver=resolver,
        judge_address=judge_address,
        race=race(reactor),
        offload=off_reactor(reactor),
        clock=clock,
        entropy=entropy,
        deadline=config.enforce_timeout,
        max_content=config.max_body,
        fail_open=not config.fail_closed,
        ways=ways(config),
    )


def build_governor(
    config: Config,
    *,
    reactor: Any,
    clock: IClock,
    chain_head: Callable[[], LogLink | None],
    ends: OwnEnds,
    resolver: Resolver,
    account: BufferAccount,
) -> tuple[IGovernor, GovernanceHttp | None]:
    """The governor that EVE_PROXY_GOVERNANCE_URL names, and the connections it asks over (None when embedded)."""
    address = config.governance
    if address.kind is Kind.EMBEDDED:
        assert config.policy is not None
        return EmbeddedGovernor(config.policy, offload=off_reactor(reactor)), None
    governance = GovernanceHttp(
        address,
        reactor=reactor,
        clock=reactor,
        tls=client_tls(config),
        resolver=resolver,
        ends=ends,
        timeout=config.enforce_timeout,
        parent=governance_parent(config, reactor=reactor, resolver=resolver, ends=ends),
    )
    token = config.governance_token
    credential = None
    if token is not None:
        credential = Credential.of(AuthStyle(config.governance_auth), token.reveal().decode("ascii"))
    service = DecisionService(
        name=address.name,
        policy_set=config.policy_set,
        redactor=Redactor(secrets.token_bytes(32), config.governance_redact_headers, config.governance_redact_query),
        clock=clock,
        chain_head=chain_head,
        witnesses=Witnesses(config.governance_keys),
        credential=credential,
        path=address.path,
        allow_modify=config.allow_modify,
    )
    governor = HostedGovernor(
        governance,
        service,
        breaker=Breaker(config.governance_breaker, clock.monotonic, random.random),
        account=account,
        concurrency=config.governance_concurrency,
        patience=config.enforce_timeout / 2,
    )
    return governor, governance


def client_tls(config: Config) -> Any:
    """The TLS settings for the decision service, or None where it is not reached by https.

    :raises ValueError: a CA, certificate or key that cannot be used.
    """
    address = config.governance
    if address.kind is not Kind.HTTPS or address.authority is None:
        return None
    files = (config.governance_ca, config.governance_cert, config.governance_key)
    ca, cert, key = [None if path is None else str(path) for path in files]
    return load_client_tls(address.authority, ca=ca, cert=cert, key=key)


def _certificates(config: Config, journal: Journal, offload: Callable[..., Any]) -> Certificates:
    recent = Recent(config.audit_log)
    alone = DeferredLock()  # one reader at a time, and one thread of the pool however many ask

    def find(certificate_id: str) -> Any:
        return alone.run(lambda: offload(recent.find, journal.standing, certificate_id))

    def last(count: int) -> Any:
        return alone.run(lambda: offload(recent.last, journal.standing, count))

    return Certificates(find=find, last=last)


def _readiness(
    config: Config, journal: Journal, governor: IGovernor, draining: Callable[[], bool]
) -> Callable[[], Readiness]:
    def readiness() -> Readiness:
        governance = tuple(getattr(governor, "warnings", ()))
        warnings = (*([] if config.fail_closed else ["fail_open"]), *journal.warnings, *governance)
        problem = "shutting down" if draining() else journal.problem
        if problem is None and config.ready_needs_governor:
            problem = getattr(governor, "problem", None)
        return Readiness(problem=problem, warnings=warnings)

    return readiness
