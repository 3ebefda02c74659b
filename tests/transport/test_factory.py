"""Client connections are counted, bounded, and let finish."""

from __future__ import annotations

from typing import Any

from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.machine import State
from tests.transport.bench import Bench

GET = b"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n"


def drained(bench: Bench) -> list[Any]:
    """What the drain has answered; empty while it waits."""
    answers: list[Any] = []
    bench.factory.drain().addCallback(answers.append)
    return answers


def lose(client: Any) -> None:
    """The connection is closed."""
    client.connectionLost()


def test_each_connection_has_its_own_protocol() -> None:
    """Two clients share nothing but the factory's parts."""
    bench = Bench()
    other, _ = bench.connect()
    assert isinstance(other, Downstream)
    assert other is not bench.client
    assert other.factory is bench.client.factory is bench.factory


def test_connections_are_counted_until_they_are_closed() -> None:
    """The count that the log names at shutdown is that of open connections."""
    bench = Bench()
    other, _ = bench.connect()
    assert bench.factory.connections == 2
    lose(other)
    lose(other)
    assert bench.factory.connections == 1
    lose(bench.client)
    assert bench.factory.connections == 0


def test_the_bound_counts_what_is_open() -> None:
    """EVE_PROXY_MAX_CONNECTIONS are served, one more is turned away, and there is room again when one leaves."""
    bench = Bench(max_connections=2)
    other, allowed = bench.connect()
    turned_away, refused = bench.connect()
    assert (allowed.value(), refused.value()) == (b"", b"overloaded")
    lose(turned_away)
    lose(other)
    _, again = bench.connect()
    assert again.value() == b""


def test_an_empty_factory_is_drained_at_once() -> None:
    """A daemon without clients stops without delay."""
    bench = Bench()
    lose(bench.client)
    assert drained(bench) == [None]


def test_idle_connections_are_closed_and_busy_ones_awaited() -> None:
    """A stop closes who is between two requests, and waits for who is in one."""
    bench = Bench()
    busy, busy_transport = bench.connect()
    busy.dataReceived(GET)
    answers = drained(bench)
    assert bench.transport.events == ["close"]
    assert busy_transport.events == []
    assert busy.machine.state is State.JUDGING
    lose(bench.client)
    assert answers == []
    lose(busy)
    assert answers == [None]


def test_who_comes_while_it_drains_is_late_and_not_awaited() -> None:
    """A health probe is served during the drain, and probes that keep coming do not prolong it."""
    bench = Bench()
    bench.receive(GET)
    answers = drained(bench)
    late, transport = bench.connect()
    late.dataReceived(GET)
    assert (bench.client.late, late.late, transport.events) == (False, True, [])
    assert len(bench.site.begun) == 2
    assert bench.factory.connections == 2
    lose(bench.client)
    assert answers == [None]


def test_late_connections_count_against_the_bound() -> None:
    """A stop is no way around EVE_PROXY_MAX_CONNECTIONS."""
    bench = Bench(max_connections=2)
    bench.receive(GET)
    drained(bench)
    bench.connect()
    _, transport = bench.connect()
    assert transport.value() == b"overloaded"


def test_late_connections_end_with_the_drain() -> None:
    """Who says nothing, or only half a request, is closed; whose answer is under way gets it first."""
    bench = Bench()
    lose(bench.client)
    assert drained(bench) == [None]
    silent, silent_transport = bench.connect()
    half, half_transport = bench.connect()
    half.dataReceived(GET[:10])
    answered, answered_transport = bench.connect()
    answered.dataReceived(GET)
    dismissed: list[Any] = []
    bench.factory.dismiss().addCallback(dismissed.append)
    assert silent_transport.events == half_transport.events == ["close"]
    assert (answered_transport.events, dismissed) == ([], [])
    answered.answer(b"503", keep=True)
    assert answered_transport.events == ["half-close"]
    for client in (silent, half, answered):
        lose(client)
    assert dismissed == [None]


def test_what_does_not_finish_is_reset() -> None:
    """After the grace period nothing stays open."""
    bench = Bench()
    bench.receive(GET)
    _, other = bench.connect()
    drained(bench)
    _, late = bench.connect()
    bench.factory.abort_all()
    assert bench.transport.events == ["abort"]
    assert other.events == ["close", "abort"]
    assert late.events == ["abort"]


def test_every_connection_is_counted_once() -> None:
    """Also those that were too many, and those that came during the stop."""
    bench = Bench(max_connections=2)
    bench.connect()
    bench.connect()
    bench.factory.drain()
    bench.connect()
    assert (bench.factory.accepted, bench.factory.turned_away) == (4, 2)
