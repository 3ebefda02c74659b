"""The entry point for requests in absolute-form, between a client's bytes and the dialler."""

from __future__ import annotations

import json

from eve_proxy.model.decision import Mode
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.verdict import Modification, Outcome, Verdict
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways
from eve_proxy.wire.response_reader import ResponseReader
from tests.enforcement.bench import GateBench
from tests.fakes.ports import FakeGovernor
from tests.integration.sidecar import head_of

POST = (
    b"POST http://API.example.com/v1?x=1 HTTP/1.1\r\nHost: api.example.com\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
)
UPGRADE = (
    b"GET http://api.example.com/ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_a_request_is_judged_whole_and_sent() -> None:
    """The governor sees method, host, path and body; the origin gets the same, serialised by us."""
    bench = GateBench()
    bench.converse(POST)
    (asked,) = bench.governor.asked
    assert (asked.route, asked.coverage) == (Route.FORWARD, Coverage.FULL)
    assert (asked.request.method, str(asked.request.authority), asked.request.target) == (
        "POST", "api.example.com:80", b"/v1?x=1",
    )  # fmt: skip
    assert asked.body is not None
    assert asked.body.content == b"hello"
    ((permit, head, body),) = bench.dialler.sent
    assert permit.mode is Mode.FORWARD
    assert permit.certificate_id == asked.id == bench.sink.certificates[0].certificate_id
    assert head.startswith(b"POST /v1?x=1 HTTP/1.1\r\nHost: api.example.com\r\n")
    assert body == b"hello"


def test_nothing_is_sent_while_the_body_is_on_its_way() -> None:
    """Half a body is neither judged nor forwarded."""
    bench = GateBench()
    bench.converse(POST[:-2])
    assert bench.governor.asked == []
    assert bench.sink.certificates == []
    assert not bench.reached_the_network


def test_the_response_carries_the_certificate() -> None:
    """What the client gets is upstream's response with our certificate, and one line is logged with its status."""
    bench = GateBench()
    transport = bench.converse(POST)
    (receiver,) = bench.dialler.receivers
    certificate = bench.sink.certificates[0]
    assert (transport.value(), bench.lines) == (b"", [])
    head, end = ResponseReader("POST").feed(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
    receiver.responseStarted(head)
    receiver.responseEnded(end.trailers)
    status, fields, _ = head_of(transport.value())
    assert (status, json.loads(fields["x-eve-decision-cert"])) == (201, certificate.to_dict())
    logged = json.loads(bench.lines[0])
    assert (logged["status"], logged["route"], logged["certificate_id"]) == (201, "forward", certificate.certificate_id)


def test_an_upgrade_is_a_handshake() -> None:
    """A WebSocket is judged by its handshake, and says so; its permit opens an upgrade and nothing else."""
    bench = GateBench()
    bench.converse(UPGRADE)
    assert bench.governor.asked[0].coverage is Coverage.HANDSHAKE
    assert bench.sink.certificates[0].draft.coverage == "handshake"
    ((permit, head, _),) = bench.dialler.sent
    assert permit.mode is Mode.UPGRADE
    assert b"upgrade: websocket" in head.lower()


def test_a_modified_request_is_what_leaves() -> None:
    """An obligation changes what is sent; the certificate is about what was judged."""
    changes = (Modification(field="body", value="changed!"), Modification(field="headers.X-Tag", value="seen"))
    bench = GateBench(governor=FakeGovernor(Verdict(outcome=Outcome.ALLOW, reason="ok", obligations=changes)))
    bench.converse(POST)
    ((_, head, body),) = bench.dialler.sent
    assert body == b"changed!"
    assert b"Content-Length: 8\r\n" in head
    assert b"X-Tag: seen\r\n" in head
    draft = bench.sink.certificates[0].draft
    assert draft.request is not None
    assert draft.request.body_bytes == 5


def test_a_refusal_sends_nothing() -> None:
    """After a veto the dialler is not even asked."""
    bench = GateBench(governor=FakeGovernor(Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128")))
    transport = bench.converse(POST)
    assert transport.value().startswith(b"HTTP/1.1 451 ")
    assert not bench.reached_the_network


def test_by_name_plain_http_is_asked_of_the_parent_proxy() -> None:
    """In absolute-form, with nothing of the client's credentials for us."""
    ways = Ways(name="proxy.corp.example:3128", direct=HostSet(), by_name=True)
    bench = GateBench(ways=ways)
    bench.converse(b"GET http://api.example.com/a?b HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic eA==\r\n\r\n")
    ((permit, head, _),) = bench.dialler.sent
    assert permit.mode is Mode.RELAYED
    assert head.startswith(b"GET http://api.example.com/a?b HTTP/1.1\r\nHost: api.example.com\r\n")
    assert b"roxy-" not in head
