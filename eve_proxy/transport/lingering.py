"""Ending a client connection without destroying what was just written (architecture.md, "The connection machine").

Closing at once would make the kernel answer unread input with a reset, and a reset throws away whatever the client has
not read yet, be it a 451 or the last megabytes of a download that the kernel still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eve_proxy.transport.limits import Limits
from eve_proxy.transport.sending import unsent, when_drained
from eve_proxy.transport.watchdog import Watchdog


def linger(transport: Any, watchdog: Watchdog, limits: Limits, *, half_closed: Callable[[], bool]) -> None:
    """Half-close once everything is sent, and set ``watchdog`` for what may still take time.

    The caller goes on reading and discarding. A client that reads slowly has ``limits.stall`` for what is queued here,
    and ``limits.linger`` begins after that.

    :param half_closed: whether the client has closed its side: then there is nothing to discard, and we close.
    """

    def sent() -> None:
        watchdog.set(limits.linger)
        lose_write = getattr(transport, "loseWriteConnection", None)
        if half_closed():
            transport.loseConnection()
        elif lose_write is not None:
            lose_write()

    if unsent(transport):
        watchdog.set(limits.stall)
        when_drained(transport, sent)
    else:
        sent()


def linger_out(transport: Any) -> None:
    """The time is over. What the kernel has taken it delivers by itself; what it has not taken nobody will read."""
    if unsent(transport):
        transport.abortConnection()
    else:
        transport.loseConnection()
