"""Twisted's epoll reactor without a logging context around every event (performance.md, "What was learnt").

The stock reactor enters a context per event so that messages of ``twisted.python.log`` carry the transport's name.
Nothing here logs that way, and the context costs more than the system call it surrounds. The sidecar runs on it unless
``twistd --reactor`` names another; everything works on the stock reactor too.
"""

from __future__ import annotations

import errno
import sys
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor


class LeanEPollReactor(EPollReactor):
    """Dispatches directly. Exceptions are caught, logged and disconnect as in the stock reactor."""

    _poller: Any
    _selectables: dict[int, Any]

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, at most ``timeout`` seconds, None for as long as it takes, and dispatch them."""
        selectables = self._selectables
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        dispatch: Any = self._doReadOrWrite
        for descriptor, event in events:
            # One event's work may have closed another's descriptor.
            selectable = selectables.get(descriptor)
            if selectable is not None:
                dispatch(selectable, descriptor, event)

    doIteration = doPoll


def install_unless_chosen() -> None:
    """Make it the reactor, unless somebody has chosen one."""
    if "twisted.internet.reactor" not in sys.modules:
        install()


def install() -> None:
    """Make it the reactor; before anything else names one."""
    installReactor(LeanEPollReactor())  # type: ignore[no-untyped-call]
