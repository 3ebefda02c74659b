"""Bytes both ways between two connections, unread: CONNECT tunnels and WebSockets.

Two implementations stand behind one function and one conformance suite (``tests/conformance/test_relays.py``): the
kernel moves the bytes when both ends are plain sockets on an epoll reactor (``splice.py``), Twisted's producers do
otherwise (``relay_producer.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from eve_proxy.transport.relay_account import Ending, Relay, RelayAccount, RelayReport, Side
from eve_proxy.transport.relay_producer import ProducerRelay
from eve_proxy.transport.splice import SpliceRelay, can_splice

__all__ = ["Ending", "Relay", "RelayReport", "Side", "relay"]


def relay(
    downstream: Any,
    upstream: Any,
    *,
    to_upstream: bytes,
    to_downstream: bytes,
    idle_timeout: float,
    clock: IReactorTime,
    closed: Callable[[RelayReport], object],
) -> Relay:
    """Join two connected transports until both directions have ended.

    From here on the transports belong to the relay: their protocols hear nothing more. One side's end of sending
    becomes the other's; a reset becomes a reset; a side that does not read stops the other from being read.

    :param downstream: the client's transport; ``upstream``: the origin's. Reading may be paused on either.
    :param to_upstream: what was already read from the client; it goes first.
    :param to_downstream: what the client is to get first.
    :param idle_timeout: seconds in which nothing moves.
    :param closed: gets the report, once, when both connections are closed or closing; possibly before this returns.
    """
    kind = SpliceRelay if can_splice(downstream) and can_splice(upstream) else ProducerRelay
    account = RelayAccount(clock=clock, idle_timeout=idle_timeout, closed=closed)
    made = kind(downstream, upstream, account)
    made.start(to_upstream=to_upstream, to_downstream=to_downstream)
    return made
