"""Latencies counted where they are measured, and read by whoever wants them (``metrics/``). No library, no lock.

A request is measured four times on its way. So an observation is one call of a built-in (``list.append``), and sorting
it into its bucket, thirty bytecodes, is for whoever reads, and for a timer, so that what is put by stays small.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from typing import Final

# Upper bounds in seconds, included: from a decision of the embedded governor to the longest EVE_PROXY_ENFORCE_TIMEOUT.
BOUNDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
# How often what is put by should be sorted: some thousand numbers on a busy core.
SETTLE_SECONDS: Final = 1.0


class Latencies:
    """How often something took how long.

    :ivar observe: takes one more, in seconds. Whoever drives a proxy has it ``settle`` every ``SETTLE_SECONDS``.
    """

    __slots__ = ("_counts", "_fresh", "_sum", "observe")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0
        self._fresh: list[float] = []
        self.observe: Callable[[float], None] = self._fresh.append

    def settle(self) -> None:
        """Sort what was put by."""
        fresh, counts = self._fresh, self._counts
        for seconds in fresh:
            counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += sum(fresh)
        fresh.clear()

    @property
    def sum(self) -> float:
        """All of them together, in seconds."""
        self.settle()
        return self._sum

    @property
    def cumulative(self) -> list[int]:
        """How many were within each of ``BOUNDS``; last, how many there are."""
        self.settle()
        return list(accumulate(self._counts))
