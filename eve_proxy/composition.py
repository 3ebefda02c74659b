"""Puts the parts together: from a Config to a pipeline, a site and a factory. Starts nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from eve_proxy.config import Config
from eve_proxy.interfaces import IClock, IEntropy


@implementer(IClock)
class SystemClock:
    """The machine's clocks; the only place that reads them."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()  # noqa: TID251


@implementer(IEntropy)
class SystemEntropy:
    """The kernel's random numbers."""

    def hex(self, size: int) -> str:
        """``2 * size`` hex digits."""
        return secrets.token_hex(size)


def off_reactor(reactor: Any) -> Callable[..., Any]:
    """``offload(function, *arguments)`` on the reactor's thread pool."""

    def offload(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return offload
