"""Twisted's epoll reactor without a logging context around every event (performance.md, "What was learnt").

The stock reactor enters a context per event so that messages of ``twisted.python.log`` carry the transport's name.
Nothing here logs that way, and the context costs more than the system call it surrounds. The sidecar runs on it unless
``twistd --reactor`` names another; everything works on the stock reactor too.

It also sends what a busy turn has to say all at once (``sending.py``).
"""

from __future__ import annotations

import errno
import sys
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.internet.tcp import Connection

from eve_proxy.transport.sending import send_gathered


class LeanEPollReactor(EPollReactor):
    """Dispatches directly. Exceptions are caught, logged and disconnect as in the stock reactor.

    :ivar gathers: whether ``sending.send_soon`` puts transports into the outbox.
    :ivar outbox: those that have something to send when this turn ends, in order.
    """

    _poller: Any
    _selectables: dict[int, Any]

    def __init__(self) -> None:
        self.gathers = True
        self.outbox: dict[Connection, None] = {}
        super().__init__()  # type: ignore[no-untyped-call]

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, at most ``timeout`` seconds, None for as long as it takes, and dispatch them."""
        if self.outbox:  # from timers and other threads
            self._send_outbox()
        selectables = self._selectables
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        # What a single event leads to has nothing to wait for.
        self.gathers = len(events) > 1
        dispatch: Any = self._doReadOrWrite
        for descriptor, event in events:
            # One event's work may have closed another's descriptor.
            selectable = selectables.get(descriptor)
            if selectable is not None:
                dispatch(selectable, descriptor, event)
        self.gathers = True
        if self.outbox:
            self._send_outbox()

    doIteration = doPoll

    def _send_outbox(self) -> None:
        outbox, self.outbox = self.outbox, {}
        for transport in outbox:
            send_gathered(transport)


def install_unless_chosen() -> None:
    """Make it the reactor, unless somebody has chosen one."""
    if "twisted.internet.reactor" not in sys.modules:
        install()


def install() -> None:
    """Make it the reactor; before anything else names one."""
    installReactor(LeanEPollReactor())  # type: ignore[no-untyped-call]
