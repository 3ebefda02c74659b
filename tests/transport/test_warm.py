"""The pool's plan, carried out."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from twisted.internet.task import Clock

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.pool import Pool
from eve_proxy.transport.warm import WarmConnections

A = parse_authority("a.example:80", None)
ONE = IPv4Address("192.0.2.1")


class Link:
    def __init__(self) -> None:
        self.authority, self.address, self.idle_since = A, ONE, 0.0
        self.calls: list[str] = []

    def close(self) -> None:
        self.calls.append("close")

    def interrupt(self, error: UpstreamFailed) -> None:
        self.calls.append(str(error))


class Case:
    def __init__(self) -> None:
        self.clock = Clock()
        self.alive = True
        self.warm = WarmConnections(Pool(per_key=2, idle=60.0), self.clock, look=lambda _: self.alive)

    def idle(self) -> Any:
        link: Any = Link()
        self.warm.enter(link)
        self.warm.released(link)
        return link


@pytest.fixture
def case() -> Case:
    return Case()


@pytest.mark.parametrize(
    ("retriable", "idle_for", "alive", "used"),
    [
        (True, 30.0, False, True),
        (False, 0.9, False, True),
        (False, 1.0, True, True),
        (False, 1.0, False, False),
    ],
)
def test_looks_before_an_order(case: Case, retriable: bool, idle_for: float, alive: bool, used: bool) -> None:
    """Only what may be sent twice, or a connection that was just in use, goes out unseen."""
    link = case.idle()
    case.clock.advance(idle_for)
    case.alive = alive
    assert case.warm.take(A, (ONE,), retriable=retriable) is (link if used else None)
    assert link.calls == ([] if used else ["close"])


def test_surplus_is_closed(case: Case) -> None:
    """More idle connections than are kept are closed at once."""
    links = [case.idle() for _ in range(3)]
    assert [link.calls for link in links] == [["close"], [], []]


def test_one_timer_closes_what_grew_old(case: Case) -> None:
    """Idle connections are closed after a minute each, with one timer for all."""
    first = case.idle()
    case.clock.advance(30)
    second = case.idle()
    assert len(case.clock.getDelayedCalls()) == 1
    case.clock.advance(30)
    assert (first.calls, second.calls) == (["close"], [])
    case.clock.advance(30)
    assert second.calls == ["close"]
    assert case.clock.getDelayedCalls() == []


def test_close(case: Case) -> None:
    """At the end idle connections are closed, busy ones interrupted, late ones closed."""
    idle, busy = case.idle(), case.idle()
    assert case.warm.take(A, (ONE,), retriable=True) is busy
    case.warm.close(UpstreamFailed("stopping"))
    assert (idle.calls, busy.calls) == (["close"], ["stopping"])
    case.warm.released(busy)
    assert busy.calls == ["stopping", "close"]
    case.warm.lost(busy)
    assert len(case.warm) == 0
    assert case.clock.getDelayedCalls() == []
