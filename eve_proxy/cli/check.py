"""``eve-proxy check URL``: what would be decided, and by which rule. Same parser, same pipeline; nothing is sent.

Nothing is written to the journal and no upstream is contacted. A hosted decision service is asked as the daemon would
ask it. Names are not resolved unless ``--resolve`` says so: a lookup tells others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from zope.interface import implementer

from eve_proxy.composition import (
    build_governor,
    build_pipeline,
    configure,
    destinations,
)
from eve_proxy.config import Config
from eve_proxy.enforcement.answers import status_of
from eve_proxy.interfaces import IAuditSink, IBodySource, IPreFilter, IResolver
from eve_proxy.model.authority import IPAddress, parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import BodyTooLarge, ConfigurationError, Malformed, ResolveFailed
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import PERMITS, Outcome
from eve_proxy.policy.ways import Ways
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from eve_proxy.system import SystemClock, SystemEntropy
from eve_proxy.transport.limits import BufferAccount
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.resolver import Resolver
from eve_proxy.way_out import ways
from eve_proxy.wire.events import RequestHead
from eve_proxy.wire.request_reader import RequestReader

ALLOWED: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
UNDECIDED: Final = 3
_NOT_LOOKED_UP: Final = "not looked up"
_BY_NAME: Final = "unverified_address"


def main(argv: Sequence[str], stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> int:
    """Exit status 0: it would leave; 1: it would not; 2: usage, configuration, or not a request at all; 3: nobody could
    decide (the daemon would answer 503 ``fail_closed``), or the check itself broke.
    """
    parser = argparse.ArgumentParser(
        prog="eve-proxy check",
        description=__doc__.partition("\n")[0],
        epilog="exit status: 0 would leave, 1 would not, 2 usage or configuration, 3 no decision could be made",
    )
    parser.add_argument("url", help="http://… is judged in full, https://… as CONNECT: by host and port only")
    parser.add_argument("--method", default=None, help="default GET, or POST with a body")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="may be repeated")
    parser.add_argument("--body", default=None, metavar="TEXT|@FILE", help="the request body, or @ and its file")
    parser.add_argument("--resolve", action="store_true", help="look the name up and judge its addresses too")
    parser.add_argument("--json", action="store_true", help="for machines")
    try:
        options = parser.parse_args(argv)
        config, plugins = configure(environ)
        request, body = _request(options)
    except SystemExit as left:
        return int(left.code or 0)
    except ConfigurationError as error:
        stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return USAGE
    except (Malformed, OSError, ValueError) as error:
        stderr.write(f"eve-proxy check: {getattr(error, 'detail', error)}\n")
        return USAGE
    decisions: list[Decision] = []

    def decide(reactor: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(_decide(reactor, config, plugins, request, body, options.resolve, decisions))

    try:
        react(decide)
    except SystemExit:  # how ``react`` ends, always
        pass
    if not decisions:
        stderr.write("eve-proxy check: no decision could be made\n")
        return UNDECIDED
    decision = decisions[0]
    report = _report(decision, ways(config), resolved=options.resolve)
    if options.json:
        json.dump(report, stdout, indent=2)
        stdout.write("\n")
    else:
        stdout.write(_text(report))
    if decision.verdict.outcome is Outcome.FAIL_CLOSED:
        return UNDECIDED
    return ALLOWED if report["leaves"] else REFUSED


def _request(options: argparse.Namespace) -> tuple[Request, bytes]:
    """The URL as the proxy would read it from a client."""
    body = _body(options.body)
    parts = urlsplit(options.url)
    if parts.scheme == "https":
        target, method = parts.netloc if parts.netloc.rpartition(":")[2].isdigit() else f"{parts.netloc}:443", "CONNECT"
        body = b""
    else:
        target, method = options.url, options.method or ("POST" if body else "GET")
    fields = [*options.header, "Host: check.invalid", *([f"Content-Length: {len(body)}"] if body else [])]
    if any("\r" in field or "\n" in field for field in fields):
        raise ValueError("a header is one line")
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *fields, "", ""])
    reader = RequestReader(default_authority=parse_authority("127.0.0.1:3128", None))
    for event in reader.feed(head.encode("utf-8") + body):
        if isinstance(event, RequestHead):
            return event.request, body
    raise ValueError("this is not a complete request")


def _body(text: str | None) -> bytes:
    if text is None:
        return b""
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode("utf-8", "surrogateescape")


async def _decide(
    reactor: Any,
    config: Config,
    plugins: Sequence[IPreFilter],
    request: Request,
    body: bytes,
    resolve: bool,
    decisions: list[Decision],
) -> None:
    clock, entropy = SystemClock(), SystemEntropy()
    own_ports = {port for port in (config.port, config.transparent_port) if port}
    resolver = Resolver(reactor, reactor)
    # A rehearsal shows no head of a journal, so that nobody can witness it.
    governor, governance = build_governor(
        replace(config, governance_keys=()),
        reactor=reactor,
        clock=clock,
        chain_head=lambda: None,
        ends=OwnEnds(own_ports),
        resolver=resolver,
        account=BufferAccount(config.max_buffered),
    )
    pipeline = build_pipeline(
        config,
        reactor=reactor,
        governor=governor,
        sink=_Rehearsed(),
        resolver=resolver if resolve else _Unresolved(),
        judge_address=destinations(config, own_ports).judge,
        plugins=plugins,
        clock=clock,
        entropy=entropy,
    )
    tunnel = request.is_connect
    coverage = Coverage.DESTINATION if tunnel else Coverage.HANDSHAKE if request.websocket else Coverage.FULL
    if pipeline.ways is not None and pipeline.ways.leaves_name(request.authority):
        coverage = coverage.unverified
    exchange = Exchange(
        id=f"cert_{entropy.hex(8)}",
        route=Route.CONNECT if tunnel else Route.FORWARD,
        request=request,
        peer="127.0.0.1",
        peer_port=0,
        org_id=config.org_id,
        caller=EGRESS_CALLER,
        received_at=clock.wall(),
        coverage=coverage,
    )
    decisions.append(await pipeline.decide(exchange, None if tunnel else _Given(body, config.max_body)))
    if governance is not None:
        governance.close()


def _report(decision: Decision, known: Ways | None, *, resolved: bool) -> dict[str, Any]:
    verdict, request, permit = decision.verdict, decision.exchange.request, decision.permit
    permits = PERMITS[verdict.outcome]
    leaves = permit is not None or (permits and decision.failure == _NOT_LOOKED_UP)
    via = addresses = None
    if permit is not None:
        via = permit.via
        addresses = [str(address) for address in permit.addresses] or None
    elif leaves and known is not None:
        via = known.via(request.authority, ())
    left_open = permit is not None and addresses is None  # to the parent proxy
    status = None if leaves else 502 if permits else status_of(verdict)
    return {
        "url": f"{request.method} {request.authority}",
        "leaves": leaves,
        "verdict": verdict.outcome.value,
        "status": status,
        "reason": verdict.reason if decision.failure in (None, _NOT_LOOKED_UP) else decision.failure,
        "pillar": verdict.pillar,
        "rule": verdict.vector,
        "decided_by": verdict.governor,
        "coverage": decision.exchange.coverage.value,
        "via": via,
        "addresses": addresses,
        "resolved": not left_open and (resolved or request.authority.address is not None),
    }


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['url']}: {'would leave' if report['leaves'] else 'would be refused'} ({report['verdict']})",
        f"  reason      {report['reason']}",
        f"  decided by  {report['decided_by']}, pillar {report['pillar'] or '-'}, rule {report['rule'] or '-'}",
        f"  coverage    {report['coverage']}",
    ]
    if report["status"] is not None:
        lines.append(f"  answer      {report['status']}")
    if report["leaves"]:
        lines.append(f"  via         {report['via'] or 'directly'}")
    if report["addresses"] is not None:
        lines.append(f"  addresses   {', '.join(report['addresses'])}")
    elif report["leaves"] and report["coverage"].endswith(_BY_NAME):
        lines.append("  addresses   the parent proxy's choice (EVE_PROXY_UPSTREAM_PROXY_BY=name)")
    elif report["leaves"] and not report["resolved"]:
        lines.append("  addresses   not looked up; each is judged when the request is made (--resolve asks now)")
    return "\n".join(lines) + "\n"


@implementer(IAuditSink)
class _Rehearsed:
    """Seals under a key of its own and writes nothing: the pipeline needs a certificate to go on."""

    def __init__(self) -> None:
        self._signer = HmacSigner(SystemEntropy().hex(32).encode("ascii"))

    async def record(self, draft: Draft) -> DecisionCertificate:
        return seal(draft, LogLink(id="log_0000000000000000", seq=0, prev=GENESIS), self._signer)


@implementer(IResolver)
class _Unresolved:
    async def resolve(self, host: str) -> tuple[IPAddress, ...]:
        raise ResolveFailed(_NOT_LOOKED_UP)


@implementer(IBodySource)
class _Given:
    """The body of the command line."""

    def __init__(self, data: bytes, limit: int) -> None:
        self._data = data
        self._limit = limit

    async def read(self) -> Body:
        data = self._data
        if len(data) > self._limit:
            raise BodyTooLarge("the body exceeds EVE_PROXY_MAX_BODY")
        digest = hashlib.sha256(data).hexdigest()
        return Body(chunks=(data,) if data else (), size=len(data), sha256=digest, content=data)

    def hold(self, size: int) -> None:
        """There is one body only."""
