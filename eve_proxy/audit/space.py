"""A warning before the disk is full, measured off the request path and at most every few seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger

from eve_proxy.audit.committer import Offload
from eve_proxy.audit.file import FreeSpace
from eve_proxy.interfaces import IClock

LOW_SHARE: Final = 0.05
LOW_BYTES: Final = 256 << 20
INTERVAL: Final = 5.0  # seconds

_log = Logger()


def low_disk_warning(space: FreeSpace) -> str | None:
    """One line under 5 % or 256 MiB of free space (evidence.md), else None."""
    if space.free >= LOW_BYTES and space.free >= LOW_SHARE * space.total:
        return None
    share = 100 * space.free // space.total if space.total else 0
    return f"low disk: {space.free >> 20} MiB ({share} %) left for the journal"


class SpaceWatch:
    """The last measurement, and when to take the next.

    :ivar warning: one line, or None.
    :ivar space: what was measured.
    """

    def __init__(self, space: FreeSpace, *, clock: IClock, offload: Offload) -> None:
        """Start from a measurement that was just taken."""
        self._clock = clock
        self._offload = offload
        self._measured = clock.monotonic()
        self.warning: str | None = None
        self._note(space)

    def look(self, measure: Callable[[], FreeSpace]) -> None:
        """Measure in the committer's thread, unless the last time is less than five seconds ago."""
        now = self._clock.monotonic()
        if now - self._measured >= INTERVAL:
            self._measured = now
            # A file system that cannot be asked is no news: the next write says what is wrong with it.
            self._offload(measure).addCallbacks(self._note, lambda failure: failure.trap(OSError))

    def _note(self, space: FreeSpace) -> None:
        self.space = space
        warning = low_disk_warning(space)
        if warning is not None and self.warning is None:
            _log.warn("{warning}", warning=warning)
        self.warning = warning
