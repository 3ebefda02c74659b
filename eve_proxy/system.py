"""The machine's clocks and random numbers behind their ports: the only module that reads them (law 5). No Twisted."""

from __future__ import annotations

import os
import time

from zope.interface import implementer

from eve_proxy.interfaces import IClock, IEntropy


@implementer(IClock)
class SystemClock:
    """The machine's clocks. No function of ours stands between: they are read several times per request."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)  # noqa: TID251


@implementer(IEntropy)
class SystemEntropy:
    """The kernel's random numbers."""

    def hex(self, size: int) -> str:
        """``2 * size`` hex digits."""
        return os.urandom(size).hex()
