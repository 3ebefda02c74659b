"""Requests find their entry point; everything else is answered here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.model.errors import JournalUnavailable
from tests.enforcement.bench import GateBench
from tests.integration.sidecar import head_of

GET = b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n"


def test_garbage_is_counted_and_logged_but_not_certified() -> None:
    """Bytes that never became a request leave a line in the log and none in the journal."""
    bench = GateBench()
    transport = bench.converse(b"GET http://a/ HTTP/1.1\nHost: a\n\n")
    assert head_of(transport.value())[0] == 400
    assert bench.sink.certificates == []
    assert json.loads(bench.lines[0])["event"] == "rejected"
    assert bench.factory.site.rejected == 1


ORIGIN = b"GET /anything HTTP/1.1\r\nHost: 10.0.0.5:3128\r\n\r\n"


def last_hop(method: str) -> bytes:
    return f"{method} http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nMax-Forwards: 0\r\n\r\n".encode()


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("TRACE", 405)])
def test_max_forwards_ends_here(method: str, status: int) -> None:
    """The last hop that the client named is us."""
    bench = GateBench()
    assert head_of(bench.converse(last_hop(method)).value())[0] == status
    assert not bench.reached_the_network


@pytest.mark.parametrize(
    ("request_", "method", "host"),
    [
        (ORIGIN, "GET", "10.0.0.5"),
        (b"OPTIONS * HTTP/1.1\r\nHost: 10.0.0.5:3128\r\n\r\n", "OPTIONS", "10.0.0.5"),
        (b"GET /x HTTP/1.0\r\n\r\n", "GET", "127.0.0.1"),
        (last_hop("OPTIONS"), "OPTIONS", "api.example.com"),
        (last_hop("TRACE"), "TRACE", "api.example.com"),
        (GET, "GET", "api.example.com"),
        (b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT", "api.example.com"),
    ],
)
def test_a_stranger_is_refused_whatever_it_asks(request_: bytes, method: str, host: str) -> None:
    """A client that is not listed gets the certified 403 before any answer of our own, health excepted."""
    bench = GateBench()
    status, fields, body = head_of(bench.converse(request_, peer="10.1.2.3").value())
    assert (status, fields["connection"]) == (403, "close")
    assert b"EVE_PROXY_ALLOWED_CLIENTS" in body
    certificate = json.loads(fields["x-eve-decision-cert"])
    assert certificate == bench.sink.certificates[0].to_dict()
    assert (certificate["verdict"], certificate["matched_vector"]) == ("block", "client")
    assert (certificate["request"]["method"], certificate["request"]["host"]) == (method, host)
    assert json.loads(bench.lines[0])["vector"] == "client"
    assert not bench.reached_the_network


# -- one connection too many -----------------------------------------------------------------------------------------


def full(bench: GateBench) -> None:
    """Its only place is taken."""
    bench.converse()


def test_one_connection_too_many_is_certified() -> None:
    """503 with Retry-After and a certificate that says what is known: who, when, which bound; nothing was read."""
    bench = GateBench(max_connections=1)
    full(bench)
    transport = bench.converse(GET, peer="10.1.2.3")
    status, fields, body = head_of(transport.value())
    assert (status, fields["connection"], fields["retry-after"]) == (503, "close", "1")
    assert body == b"too many connections (EVE_PROXY_MAX_CONNECTIONS); try again later\n"
    certificate = json.loads(fields["x-eve-decision-cert"])
    assert certificate == bench.sink.certificates[0].to_dict()
    assert (certificate["verdict"], certificate["matched_pillar"], certificate["matched_vector"]) == (
        "block", "local", "overload",
    )  # fmt: skip
    assert (certificate["kind"], certificate["coverage"], certificate["request"]) == ("decision", "none", None)
    assert certificate["record"] == {"peer": "10.1.2.3"}
    assert certificate["org_id"] == "bank_tier1_a"
    assert transport.events == ["half-close"]
    (line,) = map(json.loads, bench.lines)
    assert (line["verdict"], line["vector"], line["status"]) == ("block", "overload", 503)
    assert (line["certificate_id"], line["log_seq"]) == (certificate["certificate_id"], 0)
    assert (line["peer"], line["host"]) == ("10.1.2.3", None)
    assert bench.governor.asked == []


def test_a_flood_of_connections_is_bounded_in_the_journal() -> None:
    """Ten records per address; the rest is answered without a certificate, at once, and counted."""
    bench = GateBench(max_connections=1)
    full(bench)
    answers = [head_of(bench.converse(peer="10.1.2.3").value()) for _ in range(25)]
    assert {status for status, _, _ in answers} == {503}
    assert sum("x-eve-decision-cert" in fields for _, fields, _ in answers) == len(bench.sink.certificates) == 10
    counted = bench.suppressor.drain()
    assert counted is not None
    assert (counted["count"], counted["kinds"]) == (15, {"overload": 15})


def test_nothing_is_read_until_the_record_is_durable() -> None:
    """Neither bytes nor the end of what a client sends can end its connection before its 503 is written."""
    bench = GateBench(max_connections=1)
    full(bench)
    durable: Deferred[None] = Deferred()
    record = bench.sink.record

    async def late(draft: Any) -> Any:
        await durable
        return await record(draft)

    bench.sink.record = late
    transport = bench.converse()
    assert (transport.value(), transport.producerState) == (b"", "paused")
    durable.callback(None)
    assert head_of(transport.value())[0] == 503
    assert (transport.producerState, transport.events) == ("producing", ["half-close"])


def test_who_left_meanwhile_is_not_answered() -> None:
    """The log does not claim a 503 that nobody got."""
    bench = GateBench(max_connections=1)
    full(bench)
    durable: Deferred[None] = Deferred()
    record = bench.sink.record

    async def late(draft: Any) -> Any:
        await durable
        return await record(draft)

    bench.sink.record = late
    transport = bench.converse()
    transport.protocol.connectionLost()
    durable.callback(None)
    assert transport.value() == b""
    assert json.loads(bench.lines[0])["status"] is None
    assert bench.factory.connections == 1


def test_a_journal_that_fails_in_the_rush() -> None:
    """Too many connections and a full disk: 503 all the same, and the failure is told."""
    bench = GateBench(max_connections=1)
    full(bench)
    bench.sink.failure = JournalUnavailable("disk full")
    status, fields, body = head_of(bench.converse().value())
    assert (status, body) == (503, b"disk full\n")
    assert "x-eve-decision-cert" not in fields


def test_flood_of_refused_clients_is_bounded_in_the_journal() -> None:
    """Ten records per address, then a count: a flood can't fill the disk."""
    bench = GateBench()
    answers = [head_of(bench.converse(GET, peer="10.1.2.3").value()) for _ in range(25)]
    assert {status for status, _, _ in answers} == {403}
    assert sum("x-eve-decision-cert" in fields for _, fields, _ in answers) == 10
    assert len(bench.sink.certificates) == 10
    counted = bench.suppressor.drain()
    assert counted is not None
    assert counted["count"] == 15
    assert len(bench.lines) == 25


def test_defect_of_ours_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception nobody foresaw ends in an error, a log entry and no byte upstream."""
    bench = GateBench(blocked="example.com")

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(DecisionLog, "decided", broken)
    seen: list[Any] = []
    globalLogPublisher.addObserver(seen.append)
    try:
        transport = bench.converse(GET)
    finally:
        globalLogPublisher.removeObserver(seen.append)
    assert head_of(transport.value())[0] == 503
    assert bench.dialler.sent == []
    assert any("defect" in str(event.get("log_format")) for event in seen)


def test_body_is_let_go_when_its_client_left_before_the_decision() -> None:
    """What a vanished client had sent is held only as long as the judge needs it."""
    bench = GateBench()
    answer: Deferred[None] = Deferred()
    judge = bench.governor.evaluate

    async def late(exchange: Any) -> Any:
        await answer
        return await judge(exchange)

    bench.governor.evaluate = late
    body = b"hello"
    head = b"POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: %d\r\n\r\n" % len(body)
    transport = bench.converse(head + body)
    transport.protocol.connectionLost()
    account = bench.factory.account
    assert account.held == len(body)
    answer.callback(None)
    assert account.held == 0
    assert bench.dialler.sent == []
