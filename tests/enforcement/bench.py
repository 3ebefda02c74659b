"""Everything between a client's bytes and the dialler, for real: wire, connection, router, gate, pipeline, local rules.

Only the ends are scripted: governor, journal, resolver and dialler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from eve_proxy.audit.suppression import Suppressor
from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.discover import discover
from eve_proxy.enforcement.admin import NO_KEYS, Admin, Readiness
from eve_proxy.enforcement.admission import Admission
from eve_proxy.enforcement.certificates import Certificates
from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.enforcement.gate import Gate
from eve_proxy.enforcement.posture_reports import PostureReports
from eve_proxy.enforcement.router import Router
from eve_proxy.interfaces import Stage
from eve_proxy.model.authority import parse_authority
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.policy.clients import AllowedClients
from eve_proxy.policy.destinations import Destinations
from eve_proxy.policy.mandatory import mandatory_prefilters
from eve_proxy.policy.networks import AllowedNetworks
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways
from eve_proxy.transport.factory import ProxyFactory
from eve_proxy.transport.limits import BufferAccount, Limits
from tests.fakes.journal import draft
from tests.fakes.ports import FakeClock, FakeEntropy, FakeGovernor, FakeResolver, FakeSink, race_on, run_inline
from tests.transport.bench import ClientTransport, FakeDialler

OWN_PORT = 3128


class GateBench:
    """One proxy, any number of client connections."""

    def __init__(
        self,
        *,
        blocked: str = "",
        settings: dict[str, str] | None = None,
        connect_ports: str = "443",
        passthrough: bool = True,
        allowed_networks: str = "",
        clients: str = "loopback",
        plugins: Sequence[Any] = (),
        max_body: int = 100,
        buffered: int = 10_000,
        max_connections: int = 100,
        governor: Any = None,
        fail_open: bool = False,
        connect_sni: Any = "strict",
        transparent_verify: Any = "dial-name",
        transparent_unnamed: Any = "refuse",
        ways: Ways | None = None,
    ) -> None:
        self.events: list[str] = []
        self.clock = FakeClock()
        entropy = FakeEntropy()
        self.governor = governor or FakeGovernor()
        self.sink = FakeSink(self.events)
        self.resolver = FakeResolver(self.events)
        self.dialler = FakeDialler()
        self.lines: list[bytes] = []
        self.outcomes: list[tuple[str, dict[str, Any]]] = []
        self.readiness = Readiness(problem=None)
        self.jwks = NO_KEYS
        texts = {"EVE_PROXY_BLOCKED_HOSTS": blocked, "EVE_PROXY_MAX_BODY": str(max_body), **(settings or {})}
        judge = Destinations(
            AllowedNetworks.parse(allowed_networks),
            [(None, OWN_PORT)],
            lambda _: False,
            blocked=HostSet.parse(blocked),
        ).judge
        always = mandatory_prefilters(
            judge_address=judge, connect_ports=PortSet.parse(connect_ports), connect_passthrough=passthrough
        )
        filters = (*always, *discover((), texts), *plugins)
        pipeline = Pipeline(
            head_filters=[rule for rule in filters if rule.stage is Stage.HEAD],
            body_filters=[rule for rule in filters if rule.stage is Stage.BODY],
            governor=self.governor,
            sink=self.sink,
            resolver=self.resolver,
            judge_address=judge,
            race=race_on(self.clock),
            offload=run_inline,
            clock=self.clock,
            entropy=entropy,
            deadline=2.0,
            max_content=max_body,
            fail_open=fail_open,
            ways=ways,
        )
        allowed = AllowedClients.parse(clients)
        self.suppressor = Suppressor(self.clock)
        self.gate = Gate(
            pipeline=pipeline,
            admission=Admission(clients=allowed, suppressor=self.suppressor, pipeline=pipeline),
            log=DecisionLog(self.lines.append, self.clock),
            clock=self.clock,
            entropy=entropy,
            org_id="bank_tier1_a",
            connect_sni=connect_sni,
            outcome=lambda parent, details: self.outcomes.append((parent, details)),
            transparent_verify=transparent_verify,
            transparent_unnamed=transparent_unnamed,
        )
        self.reactor_clock = Clock()
        self.asked = AskedFor()
        self.certificates = Certificates(find=self.asked.find, last=self.asked.last)
        self.postures = PostureReports(note=self.note, suppressor=self.suppressor)
        self.factory = ProxyFactory(
            Router(
                self.gate,
                Admin(
                    readiness=lambda: self.readiness,
                    certificates=self.certificates,
                    postures=self.postures,
                    jwks=lambda: self.jwks,
                    metrics=lambda accept: (b"text/x", b"numbers for " + accept),
                ),
            ),
            dialler=self.dialler,
            limits=Limits(max_body=max_body, max_connections=max_connections),
            account=BufferAccount(buffered),
            clock=self.reactor_clock,
            default_authority=parse_authority(f"127.0.0.1:{OWN_PORT}", 80),
        )

    async def note(self, kind: str, reason: str, details: dict[str, Any]) -> DecisionCertificate:
        """As the journal does it."""
        return await self.sink.record(draft(kind=kind, verdict=None, reason=reason, request=None, record=details))

    def converse(self, *pieces: bytes, peer: str = "127.0.0.1", destination: str | None = None) -> ClientTransport:
        """A new connection that sends ``pieces``.

        :param destination: where it was going before it was redirected to us; None for a client of the proxy.
        """
        client = self.factory.buildProtocol(None)
        if destination is not None:
            meant = parse_authority(destination, None)
            self.factory.original_destination = lambda _: meant  # type: ignore[method-assign]
            self.factory.local_name = lambda peer: peer  # type: ignore[method-assign]
        transport = PeerTransport(peer)
        transport.protocol = client
        client.makeConnection(transport)
        for piece in pieces:
            client.dataReceived(piece)
        return transport

    @property
    def reached_the_network(self) -> bool:
        """Whether anything was dialled or looked up."""
        return bool(self.dialler.sent or self.dialler.tunnels or self.resolver.asked)


class AskedFor:
    """The end of a journal that answers when the test says so.

    :ivar pending: what was asked, and who waits for the answer.
    """

    def __init__(self) -> None:
        self.pending: list[tuple[str | int, Deferred[Any]]] = []

    def find(self, certificate_id: str) -> Deferred[Any]:
        return self._ask(certificate_id)

    def last(self, count: int) -> Deferred[Any]:
        return self._ask(count)

    def _ask(self, what: str | int) -> Deferred[Any]:
        self.pending.append((what, Deferred()))
        return self.pending[-1][1]


class PeerTransport(ClientTransport):
    """A client at an address of the test's choice."""

    def __init__(self, peer: str) -> None:
        super().__init__()
        self._peer_host = peer

    def getPeer(self) -> Any:
        class Peer:
            host = self._peer_host
            port = 50000

        return Peer
