"""The entry points of redirected connections: from a client's bytes to the dialler."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eve_proxy.enforcement.server_name import ACCESS_DENIED
from eve_proxy.model.decision import Mode
from eve_proxy.model.errors import ResolveFailed, UpstreamFailed
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways
from tests.enforcement.bench import GateBench
from tests.fakes.client_hello import client_hello
from tests.integration.sidecar import head_of
from tests.transport.bench import OriginTransport

WEB, TLS = "93.184.216.34:80", "93.184.216.34:443"
GET = b"GET /a?b HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
HELLO = client_hello("api.example.com")


def last(bench: GateBench) -> dict[str, Any]:
    return bench.sink.certificates[-1].to_dict()


def test_http_is_judged_in_full_by_its_host() -> None:
    """A client that knows of no proxy sends origin-form; the governor sees what it would see otherwise."""
    bench = GateBench()
    bench.converse(GET, destination=WEB)
    (asked,) = bench.governor.asked
    assert (asked.route, asked.coverage) == (Route.TRANSPARENT, Coverage.FULL)
    assert (str(asked.request.authority), asked.request.target) == ("api.example.com:80", b"/a?b")
    ((permit, sent),) = [(permit, head) for permit, head, *_ in bench.dialler.sent]
    assert permit.mode is Mode.FORWARD
    assert sent.startswith(b"GET /a?b HTTP/1.1\r\nHost: api.example.com\r\n")


def test_we_dial_what_the_name_leads_to() -> None:
    """The client's address is not believed: it could put any name before it."""
    bench = GateBench()
    bench.resolver.answer = ("93.184.216.99",)
    bench.converse(GET, destination=WEB)
    assert [str(address) for address in bench.dialler.sent[0][0].addresses] == ["93.184.216.99"]


def test_without_a_host_the_address_is_the_authority() -> None:
    """HTTP/1.0 needs no Host: the connection says where it was going."""
    bench = GateBench()
    bench.converse(b"GET / HTTP/1.0\r\n\r\n", destination=WEB)
    assert str(bench.governor.asked[0].request.authority) == WEB
    assert bench.resolver.asked == []


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (b"GET / HTTP/1.1\r\nHost: api.example.com:8080\r\n\r\n", "another port"),
        (b"GET / HTTP/1.1\r\nHost: 93.184.216.99\r\n\r\n", "another address"),
        (b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n", "CONNECT"),
    ],
)
def test_a_host_that_disagrees_is_refused(request_: bytes, fault: str) -> None:
    """What contradicts the connection has two readings: 400, and nothing is decided."""
    bench = GateBench()
    transport = bench.converse(request_, destination=WEB)
    status, _, body = head_of(transport.value())
    assert status == 400
    assert fault in body.decode()
    assert not bench.reached_the_network
    assert bench.sink.certificates == []


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz"])
def test_it_is_never_the_proxy_that_is_meant(path: bytes) -> None:
    """A redirected request for /healthz is the origin's, and is decided like any other."""
    bench = GateBench()
    transport = bench.converse(b"GET %b HTTP/1.1\r\nHost: api.example.com\r\n\r\n" % path, destination=WEB)
    assert len(bench.governor.asked) == 1
    assert transport.value() == b""


def test_tls_is_judged_by_the_name_in_its_hello() -> None:
    """The certificate says that only the destination was judged; nobody is told 200."""
    bench = GateBench()
    transport = bench.converse(HELLO[:7], HELLO[7:], destination=TLS)
    (asked,) = bench.governor.asked
    assert (asked.route, asked.coverage) == (Route.TRANSPARENT, Coverage.DESTINATION)
    assert str(asked.request.authority) == "api.example.com:443"
    ((permit, opened),) = bench.dialler.tunnels
    assert permit.mode is Mode.TUNNEL
    origin = OriginTransport()
    opened.callback(origin)
    assert transport.value() == b""
    assert origin.value() == HELLO
    assert json.loads(bench.lines[0])["status"] == 200


def test_tls_whose_upstream_cannot_be_reached() -> None:
    """TLS is told in its own words, and the line says why."""
    bench = GateBench()
    transport = bench.converse(HELLO, destination=TLS)
    bench.dialler.tunnels[0][1].errback(UpstreamFailed("connection refused"))
    assert transport.value() == b"\x15\x03\x03\x00\x02\x02\x50"
    line = json.loads(bench.lines[0])
    assert (line["status"], line["detail"]) == (502, "connection refused")


UNNAMED = {
    "no SNI": (client_hello(None), "names no host"),
    "ECH": (client_hello("front.example", ech=True), "encrypted ClientHello"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "it looks like SSH"),
    "PostgreSQL": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "neither HTTP nor TLS"),
    "HTTP/2 in the clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "neither HTTP nor TLS"),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_what_cannot_be_named_is_refused_and_the_certificate_says_so(name: str) -> None:
    """Nothing leaves on the word of an address."""
    first, reason = UNNAMED[name]
    bench = GateBench()
    transport = bench.converse(first, destination=TLS)
    certificate = last(bench)
    assert (certificate["verdict"], certificate["matched_vector"]) == ("block", "transparent")
    assert reason in certificate["reason"]
    assert not bench.reached_the_network
    assert bench.governor.asked == []
    assert transport.value() == (ACCESS_DENIED if first[0] == 0x16 else b"")
    assert transport.events[:1] == ["half-close"]
    assert len(bench.lines) == 1


@pytest.mark.parametrize("name", UNNAMED)
def test_the_operator_may_judge_it_by_its_address(name: str) -> None:
    """EVE_PROXY_TRANSPARENT_UNNAMED=address: the literal address is decided by every rule, and dialled."""
    first, _ = UNNAMED[name]
    bench = GateBench(transparent_unnamed="address")
    bench.converse(first, destination=TLS)
    expected = "front.example:443" if name == "ECH" else TLS
    assert str(bench.governor.asked[0].request.authority) == expected
    ((_, opened),) = bench.dialler.tunnels
    origin = OriginTransport()
    opened.callback(origin)
    assert origin.value() == first


def test_silence_is_not_a_request() -> None:
    """A client that begins and does not go on is refused with a certificate when a head's time is over."""
    bench = GateBench()
    bench.converse(HELLO[:20], destination=TLS)
    bench.reactor_clock.advance(11)
    assert "did not say in time what it speaks" in last(bench)["reason"]
    quiet = bench.converse(destination=TLS)
    bench.reactor_clock.advance(11)
    assert quiet.value() == b""
    assert len(bench.sink.certificates) == 1


@pytest.mark.parametrize("first", [GET, HELLO])
def test_strict_wants_the_name_to_lead_where_the_client_was_going(first: bytes) -> None:
    """The allow is recorded, then the refusal that follows from its lookup; nothing is dialled."""
    destination = WEB if first is GET else TLS
    bench = GateBench(transparent_verify="strict")
    bench.resolver.answer = ("93.184.216.99",)
    bench.converse(first, destination=destination)
    allow, block = [certificate.to_dict() for certificate in bench.sink.certificates]
    assert (allow["verdict"], block["verdict"], block["parent"]) == ("allow", "block", allow["certificate_id"])
    assert bench.dialler.sent == bench.dialler.tunnels == []
    bench = GateBench(transparent_verify="strict")
    bench.resolver.answer = ("93.184.216.34",)
    bench.converse(first, destination=destination)
    assert len(bench.dialler.sent) + len(bench.dialler.tunnels) == 1


@pytest.mark.parametrize("first", [GET, HELLO])
def test_off_goes_where_the_client_was_going(first: bytes) -> None:
    """The name is judged, and the address as an address; no name is looked up."""
    bench = GateBench(transparent_verify="off")
    bench.converse(first, destination=WEB if first is GET else TLS)
    (sent,) = [*bench.dialler.sent, *bench.dialler.tunnels]
    assert [str(address) for address in sent[0].addresses] == ["93.184.216.34"]
    assert bench.resolver.asked == []
    assert last(bench)["request"]["host"] == "api.example.com"
    guarded = GateBench(transparent_verify="off")
    guarded.converse(first, destination="169.254.169.254:80" if first is GET else "10.0.0.1:443")
    assert last(guarded)["matched_vector"] == "destination"
    assert not guarded.reached_the_network


@pytest.mark.parametrize(
    ("settings", "vector"),
    [
        ({"blocked": "example.com"}, "blocklist"),
        ({"settings": {"EVE_PROXY_ALLOWED_HOSTS": "example.org"}}, "allowlist"),
    ],
)
@pytest.mark.parametrize("verify", ["dial-name", "strict", "off"])
@pytest.mark.parametrize("first", [GET, HELLO])
def test_the_name_is_judged_as_a_name_whatever_is_dialled(
    first: bytes, verify: str, settings: dict[str, Any], vector: str
) -> None:
    """A listed host stays listed when the client's address is taken for it."""
    bench = GateBench(transparent_verify=verify, **settings)
    bench.converse(first, destination=WEB if first is GET else TLS)
    assert last(bench)["matched_vector"] == vector
    assert not bench.reached_the_network


def test_the_second_certificate_is_about_the_same_request() -> None:
    """What strict refuses after the lookup has the body's digest, as the allow before it."""
    bench = GateBench(transparent_verify="strict")
    bench.resolver.answer = ("93.184.216.99",)
    post = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 5\r\n\r\nhello"
    bench.converse(post, destination=WEB)
    allow, block = [certificate.to_dict() for certificate in bench.sink.certificates]
    assert allow["request"] == block["request"]
    assert block["request"]["body_bytes"] == 5


def test_a_name_that_leads_nowhere_is_no_refusal() -> None:
    """TLS is told of an internal error, the log of a 502, and the outcome that it failed."""
    bench = GateBench()
    bench.resolver.answer = ResolveFailed("api.example.com: no such name")
    transport = bench.converse(HELLO, destination=TLS)
    assert transport.value() == b"\x15\x03\x03\x00\x02\x02\x50"
    line = json.loads(bench.lines[0])
    assert (line["verdict"], line["status"], line["detail"]) == ("allow", 502, "api.example.com: no such name")
    assert bench.outcomes[0][1]["ended"] == "failed"


def test_every_nameless_connection_is_certified() -> None:
    """The bound on records is for strangers; what an admitted client tries is on record each time."""
    bench = GateBench()
    for _ in range(25):
        bench.converse(b"SSH-2.0-x\r\n", destination=TLS)
    assert [certificate.draft.matched_vector for certificate in bench.sink.certificates] == ["transparent"] * 25


def test_a_client_that_may_not() -> None:
    """The client list comes first, whatever the connection begins with."""
    for first in (GET, HELLO, b"SSH-2.0-x\r\n"):
        bench = GateBench()
        bench.converse(first, peer="10.1.2.3", destination=WEB if first is GET else TLS)
        assert last(bench)["matched_vector"] == "client"


BY_NAME = Ways(name="proxy.corp.example:3128", direct=HostSet(), by_name=True)


@pytest.mark.parametrize(("first", "destination"), [(GET, WEB), (HELLO, TLS)])
def test_behind_a_parent_proxy_that_resolves(first: bytes, destination: str) -> None:
    """dial-name: the name that was judged is told to the parent, and the certificate says that nobody saw where to."""
    bench = GateBench(ways=BY_NAME)
    bench.converse(first, destination=destination)
    (permit,) = [permit for permit, *_ in (*bench.dialler.sent, *bench.dialler.tunnels)]
    assert (permit.addresses, permit.via) == ((), BY_NAME.name)
    assert last(bench)["coverage"].endswith("_unverified_address")
    assert bench.resolver.asked == []


@pytest.mark.parametrize(("first", "destination"), [(GET, WEB), (HELLO, TLS)])
def test_behind_a_parent_proxy_the_clients_address_is_an_address(first: bytes, destination: str) -> None:
    """off: where the client was going is known, judged and asked for; there is nothing to resolve."""
    bench = GateBench(ways=BY_NAME, transparent_verify="off")
    bench.converse(first, destination=destination)
    (permit,) = [permit for permit, *_ in (*bench.dialler.sent, *bench.dialler.tunnels)]
    assert ([str(address) for address in permit.addresses], permit.via) == (["93.184.216.34"], BY_NAME.name)
    assert not last(bench)["coverage"].endswith("_unverified_address")
    refused = GateBench(ways=BY_NAME, transparent_verify="off")
    refused.converse(first, destination=destination.replace("93.184.216.34", "10.0.0.1"))
    assert last(refused)["matched_vector"] == "destination"
    assert not refused.dialler.sent + refused.dialler.tunnels


def test_strict_opens_nothing_where_no_address_is_known() -> None:
    """The settings forbid it; should they meet all the same, it is a refusal."""
    bench = GateBench(ways=BY_NAME, transparent_verify="strict")
    bench.converse(GET, destination=WEB)
    assert last(bench)["matched_vector"] == "transparent"
    assert bench.dialler.sent == []


def test_what_has_no_name_goes_to_its_address() -> None:
    """EVE_PROXY_TRANSPARENT_UNNAMED=address: judged and asked for as an address, by name or not."""
    bench = GateBench(ways=BY_NAME, transparent_unnamed="address")
    bench.converse(client_hello(None), destination=TLS)
    ((permit, _),) = bench.dialler.tunnels
    assert [str(address) for address in permit.addresses] == ["93.184.216.34"]
