"""Requests find their entry point; everything else is answered here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from eve_proxy.enforcement.decision_log import DecisionLog
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


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("TRACE", 405)])
def test_max_forwards_ends_here(method: str, status: int) -> None:
    """The last hop that the client named is us."""
    bench = GateBench()
    request = f"{method} http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nMax-Forwards: 0\r\n\r\n"
    assert head_of(bench.converse(request.encode()).value())[0] == status
    assert not bench.reached_the_network


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
