"""The machine's clocks and random numbers behind their ports: the only module that reads them (law 5). No Twisted."""

from __future__ import annotations

import secrets
import time

from zope.interface import implementer

from eve_proxy.interfaces import IClock, IEntropy


@implementer(IClock)
class SystemClock:
    """The machine's clocks."""

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
