"""The end of a connection: what was written arrives."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from eve_proxy.transport.limits import Limits
from eve_proxy.transport.lingering import linger, linger_out
from eve_proxy.transport.watchdog import Watchdog
from tests.transport.bench import ClientTransport, SlowTransport

LIMITS = Limits(max_body=1, max_connections=1, linger=5.0, stall=900.0)


def begin(transport: ClientTransport, *, half_closed: bool = False) -> Clock:
    clock = Clock()
    linger(transport, Watchdog(clock, lambda: linger_out(transport)), LIMITS, half_closed=lambda: half_closed)
    return clock


def test_half_close_then_close_without_a_reset() -> None:
    """What the kernel still holds for a slow reader is delivered: nothing is reset when the linger is over."""
    transport = ClientTransport()
    clock = begin(transport)
    assert transport.events == ["half-close"]
    clock.advance(5)
    assert transport.events == ["half-close", "close"]


def test_a_client_that_has_closed_is_not_waited_for() -> None:
    """There is nothing to discard then."""
    transport = ClientTransport()
    begin(transport, half_closed=True)
    assert transport.events == ["close"]


def test_a_slow_reader_gets_the_end_of_its_response() -> None:
    """The linger begins when everything is sent, not while a download goes on."""
    transport = SlowTransport()
    transport.write(b"the last megabytes")
    clock = begin(transport)
    clock.advance(800)
    assert transport.events == []
    transport.drain()
    assert transport.value() == b"the last megabytes"
    assert transport.events == ["half-close"]
    clock.advance(5)
    assert transport.events == ["half-close", "close"]


@pytest.mark.parametrize("half_closed", [False, True])
def test_a_client_that_never_reads_does_not_stay(half_closed: bool) -> None:
    """A connection is not kept for ever for bytes that nobody takes."""
    transport = SlowTransport()
    transport.write(b"never read")
    clock = begin(transport, half_closed=half_closed)
    clock.advance(900)
    assert transport.events == ["abort"]
