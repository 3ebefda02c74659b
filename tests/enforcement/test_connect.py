"""The entry point for CONNECT: from a client's bytes to the relay, with what the tunnel shows in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from eve_proxy.model.certificate import DecisionCertificate, Draft
from eve_proxy.model.decision import Mode
from eve_proxy.model.errors import JournalUnavailable, UpstreamFailed
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.wire.machine import State
from tests.enforcement.bench import GateBench
from tests.fakes.client_hello import client_hello, message, records
from tests.fakes.ports import FakeGovernor, verified_mac
from tests.integration.sidecar import head_of
from tests.transport.bench import OriginTransport

CONNECT = b"CONNECT API.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"
HELLO = client_hello()
FRONTING = client_hello("evil.example")
ALERT = b"\x15\x03\x03\x00\x02\x02\x31"


def test_a_tunnel_is_judged_by_its_destination() -> None:
    """The governor is asked about host and port; there is no path and no body, and the certificate says so."""
    bench = GateBench()
    bench.converse(CONNECT)
    (asked,) = bench.governor.asked
    assert (asked.route, asked.coverage, asked.body) == (Route.CONNECT, Coverage.DESTINATION, None)
    assert str(asked.request.authority) == "api.example.com:443"
    certificate = bench.sink.certificates[0].to_dict()
    assert certificate["coverage"] == "destination"
    assert certificate["request"]["path_sha256"] is None
    ((permit, _),) = bench.dialler.tunnels
    assert (permit.mode, permit.certificate_id) == (Mode.TUNNEL, certificate["certificate_id"])
    assert bench.dialler.sent == []


def test_nothing_is_said_before_upstream_is_connected() -> None:
    """A client that gets its 200 can rely on it."""
    bench = GateBench()
    transport = bench.converse(CONNECT)
    assert transport.value() == b""
    assert bench.lines == []


def test_early_bytes_are_not_taken_for_a_body() -> None:
    """What a client sends ahead of the 200 belongs into the tunnel: it is neither judged nor sent elsewhere."""
    bench = GateBench()
    transport = bench.converse(CONNECT + b"\x16\x03\x01hello")
    assert bench.governor.asked[0].body is None
    assert len(bench.dialler.tunnels) == 1
    assert transport.value() == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_upstream_cannot_be_reached(version: str) -> None:
    """502 with the certificate of the allow, and a line that says why."""
    bench = GateBench()
    host = "" if version == "1.0" else "Host: api.example.com:443\r\n"
    transport = bench.converse(f"CONNECT api.example.com:443 HTTP/{version}\r\n{host}\r\n".encode())
    bench.dialler.tunnels[0][1].errback(UpstreamFailed("connection refused"))
    status, fields, body = head_of(transport.value())
    assert (status, body) == (502, b"upstream error: connection refused")
    assert json.loads(fields["x-eve-decision-cert"]) == bench.sink.certificates[0].to_dict()
    logged = json.loads(bench.lines[0])
    assert (logged["status"], logged["detail"], logged["route"]) == (502, "connection refused", "connect")


def test_a_refusal_opens_nothing() -> None:
    """After a veto there is no tunnel and no lookup."""
    bench = GateBench(governor=FakeGovernor(Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128")))
    transport = bench.converse(CONNECT)
    assert transport.value().startswith(b"HTTP/1.1 451 ")
    assert not bench.reached_the_network


class Tunnel:
    """A CONNECT that is allowed and connected; ``says`` is what the client sends next."""

    def __init__(self, bench: GateBench, *, authority: str = "api.example.com:443", early: bytes = b"") -> None:
        self.bench = bench
        self.origin = OriginTransport()
        request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        self.transport: Any = bench.converse(request + early)
        bench.dialler.tunnels[-1][1].callback(self.origin)

    def says(self, data: bytes) -> Tunnel:
        self.transport.protocol.dataReceived(data)
        return self

    @property
    def head(self) -> bytes:
        return self.transport.value().partition(b"\r\n\r\n")[0]

    @property
    def after_head(self) -> bytes:
        return self.transport.value().partition(b"\r\n\r\n")[2]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.bench.lines]

    @property
    def sent(self) -> bytes:
        return self.origin.value()


def certificates(bench: GateBench) -> list[dict[str, Any]]:
    return [certificate.to_dict() for certificate in bench.sink.certificates]


def test_the_judged_name_travels() -> None:
    """The origin gets the ClientHello as it came; one certificate, one line that says what was seen."""
    tunnel = Tunnel(GateBench())
    assert head_of(tunnel.transport.value())[0] == 200
    assert tunnel.lines == []
    tunnel.says(HELLO[:100]).says(HELLO[100:])
    assert tunnel.sent == HELLO
    assert [entry["verdict"] for entry in certificates(tunnel.bench)] == ["allow"]
    (line,) = tunnel.lines
    assert (line["verdict"], line["status"], line["detail"]) == ("allow", 200, None)
    assert (line["sni"], line["alpn"], line["ech"]) == ("api.example.com", ["h2", "http/1.1"], False)


def test_another_name_is_severed_with_a_second_certificate() -> None:
    """Domain fronting: not a byte for the origin, an alert for the client, and a block that points to the allow."""
    tunnel = Tunnel(GateBench()).says(FRONTING)
    assert (tunnel.sent, tunnel.origin.events) == (b"", ["abort"])
    assert tunnel.after_head == ALERT
    assert tunnel.transport.events == ["half-close"]
    allow, block = certificates(tunnel.bench)
    assert json.loads(head_of(tunnel.transport.value())[1]["x-eve-decision-cert"]) == allow
    assert (block["verdict"], block["matched_pillar"], block["matched_vector"]) == ("block", "local", "sni")
    assert block["parent"] == allow["certificate_id"] != block["certificate_id"]
    assert block["request"] == allow["request"]
    assert (block["coverage"], block["governor"]) == ("destination", "local")
    assert block["record"] == {"tunnel": {"sni": "evil.example", "alpn": ["h2", "http/1.1"], "ech": False}}
    assert verified_mac(tunnel.bench.sink.certificates[1])
    first, second = tunnel.lines
    assert (first["verdict"], first["status"], first["sni"]) == ("allow", 200, "evil.example")
    assert (second["verdict"], second["status"], second["vector"]) == ("block", None, "sni")
    assert (second["parent"], second["sni"]) == (allow["certificate_id"], "evil.example")
    assert second["certificate_id"] == block["certificate_id"]


@pytest.mark.parametrize(
    ("authority", "data"),
    [
        ("api.example.com:443", client_hello(None)),
        ("api.example.com:443", client_hello(None, ech=True)),
        ("api.example.com:443", client_hello("front.example", ech=True)),
        ("93.184.216.34:443", client_hello()),
        ("93.184.216.34:443", client_hello(None, ech=True)),
        ("api.example.com:443", b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"),
        ("api.example.com:443", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("api.example.com:443", b"\x80\x2e\x01\x03\x01"),
        ("93.184.216.34:443", b"EHLO me\r\n"),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_what_else_is_severed(authority: str, data: bytes, early: bool) -> None:
    """No name, a hidden name, plain HTTP, SSH: certified and ended, also when it was sent along with the CONNECT."""
    bench = GateBench()
    tunnel = Tunnel(bench, authority=authority, early=data) if early else Tunnel(bench, authority=authority).says(data)
    assert (tunnel.sent, tunnel.origin.events) == (b"", ["abort"])
    assert tunnel.transport.events == ["half-close"]
    assert [(entry["verdict"], entry["matched_vector"]) for entry in certificates(bench)][1:] == [("block", "sni")]


def test_an_address_needs_no_name() -> None:
    """RFC 6066 has no name for an address."""
    data = client_hello(None)
    assert Tunnel(GateBench(), authority="93.184.216.34:443").says(data).sent == data


def test_grease_is_not_held_against_a_browser() -> None:
    """An encrypted hello beside the judged name travels, and the log says that it was there."""
    data = client_hello(ech=True)
    tunnel = Tunnel(GateBench()).says(data)
    assert tunnel.sent == data
    assert tunnel.lines[0]["ech"] is True


def test_plain_http_reads_its_refusal() -> None:
    """A client that speaks HTTP in its tunnel gets the certified 451 that any other HTTP client gets."""
    tunnel = Tunnel(GateBench()).says(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    status, fields, body = head_of(tunnel.after_head)
    assert (status, fields["x-eve-verdict"]) == (451, "BLOCK")
    assert json.loads(body)["certificate"] == certificates(tunnel.bench)[1]
    assert tunnel.lines[1]["status"] == 451


@pytest.mark.parametrize("data", [client_hello("api.example.com."), records(message(), 1)])
def test_a_tls_client_reads_an_alert_whatever_is_wrong_with_its_hello(data: bytes) -> None:
    """Its library says "access denied" instead of "unexpected end", and the certificate does not say "no TLS"."""
    tunnel = Tunnel(GateBench()).says(data)
    assert (tunnel.sent, tunnel.after_head) == (b"", ALERT)
    assert certificates(tunnel.bench)[1]["reason"].startswith("no acceptable ClientHello in the tunnel: ")


def test_half_a_hello_is_answered_like_one() -> None:
    """A TLS client that is too slow learns that it was refused."""
    tunnel = Tunnel(GateBench()).says(HELLO[:50])
    tunnel.bench.reactor_clock.advance(10)
    assert tunnel.after_head == ALERT


def test_ssh_reads_nothing() -> None:
    """Nothing that we could say is SSH."""
    tunnel = Tunnel(GateBench()).says(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert tunnel.after_head == b""
    assert "looks like SSH" in tunnel.lines[1]["reason"]


def test_a_silent_client_is_severed() -> None:
    """A tunnel in which nothing is said, as with a server that speaks first, ends after ten seconds."""
    tunnel = Tunnel(GateBench())
    tunnel.bench.reactor_clock.advance(9.9)
    assert tunnel.transport.events == []
    tunnel.bench.reactor_clock.advance(0.1)
    assert tunnel.transport.events == ["half-close"]
    assert "in time" in certificates(tunnel.bench)[1]["reason"]


def test_an_unused_tunnel_leaves_one_certificate() -> None:
    """A connection that was opened ahead of need and closed is no violation."""
    tunnel = Tunnel(GateBench())
    tunnel.transport.protocol.readConnectionLost()
    assert [entry["verdict"] for entry in certificates(tunnel.bench)] == ["allow"]
    assert [(line["verdict"], line["status"]) for line in tunnel.lines] == [("allow", 200)]


class SlowSink:
    """A journal that is durable when the test says so."""

    def __init__(self, bench: GateBench) -> None:
        self.waiting: list[Deferred[None]] = []
        self._record = bench.sink.record
        bench.sink.record = self.record  # type: ignore[method-assign]

    async def record(self, draft: Draft) -> DecisionCertificate:
        self.waiting.append(Deferred())
        await self.waiting[-1]
        return await self._record(draft)


def test_nothing_ends_before_the_refusal_is_durable() -> None:
    """Until the block is in the journal both connections stay as they are, and nothing moves in them."""
    tunnel = Tunnel(GateBench())
    slow = SlowSink(tunnel.bench)
    tunnel.says(FRONTING)
    assert len(slow.waiting) == 1
    assert (tunnel.sent, tunnel.origin.events, tunnel.transport.events) == (b"", [], [])
    assert tunnel.after_head == b""
    slow.waiting[0].callback(None)
    assert (tunnel.sent, tunnel.origin.events, tunnel.transport.events) == (b"", ["abort"], ["half-close"])


def test_a_client_that_leaves_is_refused_on_record_all_the_same() -> None:
    """Hanging up while the refusal is written down does not keep it out of the journal and the log."""
    tunnel = Tunnel(GateBench())
    slow = SlowSink(tunnel.bench)
    tunnel.says(b"GET / HTTP/1.1\r\n\r\n")
    tunnel.transport.protocol.connectionLost()
    assert tunnel.origin.events == ["abort"]
    slow.waiting[0].callback(None)
    assert [entry["verdict"] for entry in certificates(tunnel.bench)] == ["allow", "block"]
    assert [line["status"] for line in tunnel.lines] == [200, None]


def test_a_refusal_that_cannot_be_recorded_severs() -> None:
    """A broken journal does not open what the rule closes."""
    tunnel = Tunnel(GateBench())
    tunnel.bench.sink.failure = JournalUnavailable("disk full")
    tunnel.says(FRONTING)
    assert (tunnel.sent, tunnel.origin.events) == (b"", ["abort"])
    assert tunnel.lines[1]["verdict"] == "fail_closed"


def test_fail_open_does_not_open_it() -> None:
    """EVE_PROXY_FAIL_CLOSED=0 is about judging, not about this rule."""
    bench = GateBench(fail_open=True)
    bench.governor.answer = RuntimeError("broken")
    assert Tunnel(bench).says(FRONTING).sent == b""
    assert [entry["verdict"] for entry in certificates(bench)] == ["fail_open", "block"]


@pytest.mark.parametrize("data", [FRONTING, b"SSH-2.0-OpenSSH_9.2\r\n", client_hello(None)])
def test_log_relays_and_says_so(data: bytes) -> None:
    """EVE_PROXY_CONNECT_SNI=log: everything travels; the line tells what would have been severed."""
    tunnel = Tunnel(GateBench(connect_sni="log")).says(data)
    assert tunnel.sent == data
    assert [entry["verdict"] for entry in certificates(tunnel.bench)] == ["allow"]
    (line,) = tunnel.lines
    assert line["status"] == 200
    assert line["detail"].startswith("relayed all the same (EVE_PROXY_CONNECT_SNI=log): ")


def test_log_has_nothing_to_say_of_what_is_right() -> None:
    """The detail is there to be searched for."""
    tunnel = Tunnel(GateBench(connect_sni="log")).says(HELLO)
    assert (tunnel.sent, tunnel.lines[0]["detail"], tunnel.lines[0]["sni"]) == (HELLO, None, "api.example.com")


def test_log_has_nothing_to_say_of_a_tunnel_that_was_not_used() -> None:
    """Opened ahead of need and closed: ``strict`` would not have refused it, so that nobody has to look for it."""
    tunnel = Tunnel(GateBench(connect_sni="log"))
    tunnel.transport.protocol.readConnectionLost()
    assert [line["detail"] for line in tunnel.lines] == [None]
    half = Tunnel(GateBench(connect_sni="log")).says(HELLO[:50])
    half.transport.protocol.readConnectionLost()
    assert "closed before its ClientHello was complete" in half.lines[0]["detail"]


def test_log_does_not_hold_up_a_server_that_begins() -> None:
    """SMTP through a tunnel works as without the rule."""
    tunnel = Tunnel(GateBench(connect_sni="log"))
    tunnel.origin.protocol.dataReceived(b"220 ready\r\n")  # type: ignore[attr-defined]
    assert tunnel.after_head == b"220 ready\r\n"
    assert "the server spoke first" in tunnel.lines[0]["detail"]


def test_off_does_not_look() -> None:
    """EVE_PROXY_CONNECT_SNI=off: bytes travel as they come, one by one."""
    tunnel = Tunnel(GateBench(connect_sni="off"))
    assert tunnel.transport.protocol is not None
    assert [line["sni"] for line in tunnel.lines] == [None]
    tunnel.says(FRONTING[:1])
    assert tunnel.sent == FRONTING[:1]


def test_the_state_is_held_until_then() -> None:
    """What the connection's table says of it."""
    tunnel = Tunnel(GateBench())
    (client,) = tunnel.bench.factory._connections
    assert client.machine.state is State.OPENING
    tunnel.says(HELLO)
    assert client.machine.state is State.TUNNEL
