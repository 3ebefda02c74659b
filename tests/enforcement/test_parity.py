"""The parity matrix of security.md: every deny rule on every route gives the same verdict and a certificate.

A new entry point or rule without its row here fails; a cell that cannot apply says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.discover import BUILT_IN
from eve_proxy.enforcement.server_name import ACCESS_DENIED
from eve_proxy.model.errors import GovernorUnavailable, JournalUnavailable
from eve_proxy.model.exchange import Route
from eve_proxy.model.verdict import Outcome, Verdict, refuse
from eve_proxy.policy.mandatory import RESERVED_RULES
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways
from eve_proxy.settings.variables import BY_NAME
from tests.enforcement.bench import GateBench
from tests.fakes.client_hello import client_hello
from tests.fakes.library import LibraryBench, refusal, told
from tests.fakes.ports import FakeFilter, FakeGovernor
from tests.integration.sidecar import head_of
from tests.transport.bench import OriginTransport

VETO = Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128", vector="706", governor="fake.governor")


def forward(host: str, body: bytes = b"hello") -> bytes:
    return b"POST http://%b/p HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        host.encode(), host.encode(), len(body), body,
    )  # fmt: skip


def connect(host: str, _body: bytes = b"") -> bytes:
    authority = host if ":" in host.rpartition("]")[2] else f"{host}:443"
    return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (authority.encode(), authority.encode())


def upgrade(host: str, _body: bytes = b"") -> bytes:
    return (
        b"GET http://%b/ws HTTP/1.1\r\nHost: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ) % (host.encode(), host.encode())


def redirected_http(host: str, body: bytes = b"hello") -> bytes:
    return b"POST /p HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b" % (host.encode(), len(body), body)


def redirected_tls(host: str, _body: bytes = b"") -> bytes:
    return client_hello(host.partition(":")[0].rstrip("."))  # RFC 6066: without the trailing dot


# A route of the proxy as an application uses it.
ROUTES: dict[str, Callable[..., bytes]] = {
    "forward": forward,
    "connect": connect,
    "upgrade": upgrade,
    "redirected HTTP": redirected_http,
    "redirected TLS": redirected_tls,
}
COVERAGE = {
    "forward": "full",
    "connect": "destination",
    "upgrade": "handshake",
    "redirected HTTP": "full",
    "redirected TLS": "destination",
}
# Where a redirected connection was going: the port that the request names, at some address.
DEFAULT_PORT = {"redirected HTTP": "80", "redirected TLS": "443"}
# Routes of the model that have no entry point yet: nothing can arrive by them.
NO_ENTRY_POINT = {Route.INTERCEPTED, Route.EXT_AUTHZ}


def meant(route: str, host: str) -> str | None:
    """The destination that the kernel remembers of a redirected connection."""
    if route not in DEFAULT_PORT:
        return None
    name, colon, port = host.rpartition(":")
    if not colon:
        name, port = host, DEFAULT_PORT[route]
    address = {"0x7f.1": "127.0.0.1", "127.0.0.1": "127.0.0.1"}.get(name, "93.184.216.34")
    return f"{address}:{port}"


@dataclass(frozen=True)
class Rule:
    """A reason to refuse: the proxy that has it, a request that meets it, and what must come of it."""

    settings: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[GateBench], object] = lambda _: None
    host: str = "api.example.com"
    body: bytes = b"hello"
    peer: str = "127.0.0.1"
    inside: bytes = b""
    pillar: str = "local"
    verdict: str = "block"
    status: int = 451
    not_on: dict[str, str] = field(default_factory=dict)


NO_BODY = {
    "connect": "a tunnel has no body to judge",
    "upgrade": "a WebSocket handshake has no body",
    "redirected TLS": "a tunnel has no body to judge",
}
ONLY_TUNNELS = dict.fromkeys(("forward", "upgrade", "redirected HTTP"), "the rule is about tunnels")
ONLY_CONNECT = {**ONLY_TUNNELS, "redirected TLS": "the name in its ClientHello is what is judged"}
ONLY_REDIRECTED = dict.fromkeys(("forward", "connect", "upgrade"), "the rule is about redirected connections")
NO_NAME = {"redirected TLS": "a ClientHello names no address (RFC 6066 section 3)"}


def _address(*addresses: str) -> Callable[[GateBench], object]:
    return lambda bench: setattr(bench.resolver, "answer", addresses)


def _full(bench: GateBench) -> object:
    return bench.factory.account.take(bench.factory.account.limit)


RULES: dict[str, Rule] = {
    "blocklist": Rule(settings={"blocked": "pastebin.com"}, host="x.PASTEBIN.com."),
    "allowlist": Rule(settings={"settings": {"EVE_PROXY_ALLOWED_HOSTS": "example.org"}}),
    "body_limit": Rule(body=b"x" * 101, status=413, not_on=NO_BODY),
    "content_encoding": Rule(not_on=NO_BODY),
    "destination": Rule(host="0x7f.1", not_on=NO_NAME),
    "destination (resolved)": Rule(prepare=_address("93.184.216.34", "169.254.169.254")),
    "destination (own listener)": Rule(
        settings={"allowed_networks": "0.0.0.0/0,::/0", "connect_ports": "*"}, host="127.0.0.1:3128", not_on=NO_NAME
    ),
    "connect_port": Rule(host="api.example.com:25", not_on=ONLY_TUNNELS),
    "passthrough": Rule(settings={"passthrough": False}, not_on=ONLY_TUNNELS),
    "sni": Rule(inside=client_hello("evil.example"), status=200, not_on=ONLY_CONNECT),
    "transparent": Rule(
        settings={"transparent_verify": "strict"}, prepare=_address("93.184.216.35"), not_on=ONLY_REDIRECTED
    ),
    "client": Rule(peer="10.1.2.3", status=403),
    "overload": Rule(prepare=_full, status=503, not_on=NO_BODY),
    "draining": Rule(prepare=lambda bench: bench.factory.drain(), status=503),
    "a plugin": Rule(settings={"plugins": [FakeFilter(refuse("acme", "no"), name="acme")]}),
    "the governor's veto": Rule(settings={"governor": FakeGovernor(VETO)}, pillar="128"),
    "the governor fails": Rule(
        settings={"governor": FakeGovernor(GovernorUnavailable("refused"))},
        pillar="114", verdict="fail_closed", status=503,
    ),
    "the deadline": Rule(
        prepare=lambda bench: setattr(bench.governor, "before", lambda: bench.clock.advance(2)),
        pillar="114", verdict="fail_closed", status=503,
    ),
}  # fmt: skip

_NO_DESTINATION = "a call of a function names no destination"
_NO_HTTP = "a call of a function is not HTTP"
NOT_ON_LIBRARY = {
    "blocklist": _NO_DESTINATION,
    "allowlist": _NO_DESTINATION,
    "content_encoding": _NO_HTTP,
    "destination": _NO_DESTINATION,
    "destination (resolved)": _NO_DESTINATION,
    "destination (own listener)": _NO_DESTINATION,
    "connect_port": _NO_HTTP,
    "passthrough": _NO_HTTP,
    "sni": "a call of a function opens no tunnel",
    "transparent": "a call of a function is not redirected",
    "client": "whoever calls is the process itself",
    "overload": "threads and deadline bound a process's own calls (pillar 114)",
    "draining": "a process's own calls end with it",
    "a plugin": "plugins need Twisted: EVE_PROXY_PREFILTERS is a fault for the library",
}
# Its rules, and what makes a call meet them.
LIBRARY: dict[str, Callable[[LibraryBench], object]] = {
    "body_limit": lambda _: None,
    "the governor's veto": lambda bench: setattr(bench.governor, "answer", VETO),
    "the governor fails": lambda bench: setattr(bench.governor, "answer", GovernorUnavailable("refused")),
    "the deadline": lambda bench: setattr(bench.governor, "before", lambda: bench.clock.advance(2)),
}

CELLS = [(route, rule) for rule in RULES for route in ROUTES if route not in RULES[rule].not_on]

# The ways out: what leaves through a parent proxy is refused by the same rules. What only an address can meet is not
# met where the parent proxy resolves names; the certificate says that nobody looked.
PARENT = "proxy.corp.example:3128"
WAYS: dict[str, Ways | None] = {
    "directly": None,
    "through a parent": Ways(name=PARENT, direct=HostSet()),
    "through a parent, by name": Ways(name=PARENT, direct=HostSet(), by_name=True),
}
NOT_BY_NAME = {
    "destination (resolved)": "no address is known here",
    "transparent": "EVE_PROXY_TRANSPARENT_VERIFY=strict is a fault together with by name (settings/parents.py)",
}
CROSSED = [
    (route, rule, way) for route, rule in CELLS for way in WAYS if not (way.endswith("by name") and rule in NOT_BY_NAME)
]


def expected_coverage(route: str, rule: str, way: str) -> str:
    """Under by name, whatever has a name says that its address was not verified."""
    literal = rule.startswith("destination")
    return COVERAGE[route] + ("_unverified_address" if way.endswith("by name") and not literal else "")


def test_every_entry_point_and_every_rule_has_its_row() -> None:
    """A new way in, or a new rule, cannot be forgotten here."""
    entry_points = {
        path.stem
        for path in (Path(__file__).resolve().parents[2] / "eve_proxy" / "enforcement").glob("*.py")
        if "async def enter(" in path.read_text("utf-8")
    }
    # What is addressed to the proxy itself is answered by it, and lets nothing out.
    assert entry_points == {"forward", "connect", "transparent"} | {"admin", "posture_reports"}
    assert {Route.FORWARD, Route.CONNECT, Route.TRANSPARENT, Route.LIBRARY} | NO_ENTRY_POINT == set(Route)
    assert set(RULES) == set(NOT_ON_LIBRARY) | set(LIBRARY)
    # "local" is a pillar, not a rule.
    named = {rule.partition(" ")[0] for rule in RULES}
    assert set(BUILT_IN) | (RESERVED_RULES - {"local"}) <= named


def test_every_missing_cell_has_its_reason() -> None:
    """What is not tested says why it cannot apply."""
    missing = [(route, name, rule.not_on.get(route)) for name, rule in RULES.items() for route in rule.not_on]
    assert missing
    assert all(route in ROUTES and reason for route, _, reason in missing)


# A rule that needs the permit's connection to see what it refuses; not a byte goes through that.
SEEN_INSIDE = {name for name, rule in RULES.items() if rule.inside}


@pytest.mark.parametrize(("route", "name", "way"), CROSSED)
def test_same_verdict_on_every_route(route: str, name: str, way: str) -> None:
    """A rule that stops a request stops it whichever way it comes, and whichever it would leave by, with a signed
    certificate, and nothing leaves.
    """
    rule = RULES[name]
    bench = GateBench(**rule.settings, ways=WAYS[way])
    rule.prepare(bench)
    request = ROUTES[route](rule.host, rule.body)
    if name == "content_encoding":
        request = request.replace(b"Content-Length", b"Content-Encoding: gzip\r\nContent-Length")
    transport = bench.converse(request, peer=rule.peer, destination=meant(route, rule.host))
    origin = OriginTransport()
    if rule.inside:
        bench.dialler.tunnels[0][1].callback(origin)
        transport.protocol.dataReceived(rule.inside)
    if route == "redirected TLS":  # TLS has an alert for it; the certificate is in the journal
        assert transport.value() == ACCESS_DENIED
        certificate = bench.sink.certificates[-1].to_dict()
    else:
        status, fields, _ = head_of(transport.value())
        assert status == rule.status
        certificate = json.loads(fields["x-eve-decision-cert"])
    if rule.inside:
        assert certificate == bench.sink.certificates[0].to_dict()
        assert certificate["verdict"] == "allow"
        certificate = bench.sink.certificates[-1].to_dict()
        assert certificate["parent"] == bench.sink.certificates[0].certificate_id
    assert certificate["verdict"] == rule.verdict
    assert certificate["matched_pillar"] == rule.pillar
    if rule.pillar == "local":
        assert certificate["matched_vector"] == ("acme" if name == "a plugin" else name.partition(" ")[0])
    assert certificate == bench.sink.certificates[-1].to_dict()
    assert certificate["coverage"] == expected_coverage(route, name, way)
    assert bench.dialler.sent == []
    assert origin.value() == b""
    if name in SEEN_INSIDE:
        assert origin.events == ["abort"]
    else:
        assert bench.dialler.tunnels == []
    if name not in SEEN_INSIDE | {"destination (resolved)", "transparent"}:
        assert not bench.reached_the_network
    assert transport.events[:1] == ["half-close"]
    assert len(bench.lines) == (2 if name in SEEN_INSIDE else 1)


@pytest.mark.parametrize("name", LIBRARY)
def test_same_verdict_for_a_library_call(name: str) -> None:
    """A rule that applies to the call of a function gives the proxy's verdict, pillar and vector, and nothing runs."""
    rule, bench, ran = RULES[name], LibraryBench(), []
    LIBRARY[name](bench)
    certificate = told(refusal(bench.enforce()(ran.append), "x" * (10_001 if name == "body_limit" else 1)))
    assert certificate == bench.journal.certificates[-1].to_dict()
    assert (certificate["verdict"], certificate["matched_pillar"]) == (rule.verdict, rule.pillar)
    assert certificate["matched_vector"] == {"local": name, "128": "706", "114": None}[rule.pillar]
    assert len(bench.journal.certificates) == 1
    assert ran == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("route", ROUTES)
def test_nothing_leaves_when_the_journal_fails(route: str, way: str) -> None:
    """No record, no request, on no route and by no way."""
    bench = GateBench(ways=WAYS[way])
    bench.sink.failure = JournalUnavailable("disk full")
    transport = bench.converse(ROUTES[route]("api.example.com"), destination=meant(route, "api.example.com"))
    assert transport.value() == ACCESS_DENIED or transport.value().startswith(b"HTTP/1.1 503 ")
    assert not bench.reached_the_network


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("route", ROUTES)
def test_an_allow_leaves_by_every_route(route: str, way: str) -> None:
    """The matrix would be worthless if the routes refused everything. A permit is for its way and no other."""
    bench = GateBench(ways=WAYS[way])
    bench.converse(ROUTES[route]("api.example.com"), destination=meant(route, "api.example.com"))
    by_name = way.endswith("by name")
    assert bench.events == (["recorded"] if by_name else ["recorded", "resolved"])
    (permit,) = [permit for permit, *_ in (*bench.dialler.sent, *bench.dialler.tunnels)]
    assert permit.via == (None if way == "directly" else PARENT)
    assert bool(permit.addresses) is not by_name
    assert bench.sink.certificates[-1].to_dict()["coverage"] == expected_coverage(route, "", way)


def test_the_ways_out_are_those_of_the_settings() -> None:
    """EVE_PROXY_UPSTREAM_PROXY_BY has no value without its column here, and no cell is missing without its reason."""
    assert BY_NAME["EVE_PROXY_UPSTREAM_PROXY_BY"].kind.label == "address / name"
    assert len(WAYS) == 3
    assert set(NOT_BY_NAME) <= set(RULES)
    assert all(NOT_BY_NAME.values())
