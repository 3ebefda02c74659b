"""The enforcement clock: runs while we judge, stands still while the client's body arrives (architecture.md)."""

from __future__ import annotations

from eve_proxy.interfaces import IClock
from eve_proxy.model.errors import DeadlineExceeded


class Stopwatch:
    """Measures one exchange's judging time against its deadline.

    :param clock: monotonic seconds.
    :param limit: EVE_PROXY_ENFORCE_TIMEOUT, seconds.
    """

    __slots__ = ("_due", "_limit", "_now", "_paused", "_started")

    def __init__(self, clock: IClock, limit: float) -> None:
        self._limit = limit
        self._now = clock.monotonic
        self._started = self._now()
        self._due = self._started + limit
        self._paused: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds of judging so far."""
        return (self._now() if self._paused is None else self._paused) - self._started

    def pause(self) -> None:
        """Stand still."""
        self._paused = self._now()

    def resume(self) -> None:
        """Go on: the beginning and the deadline move by as much as it stood still."""
        paused, self._paused = self._paused, None
        if paused is not None:
            stood = self._now() - paused
            self._started += stood
            self._due += stood

    def check(self) -> float:
        """Compare the clock with the deadline, whatever timers did or did not fire. Not while it stands still.

        :returns: seconds left, more than zero.
        :raises DeadlineExceeded: it is too late to accept anything that permits.
        """
        left = self._due - self._now()
        if left <= 0:
            raise DeadlineExceeded(deadline_text(self._limit))
        return left


def deadline_text(limit: float) -> str:
    """The reason of a certificate whose judging was too late."""
    return f"enforcement deadline of {limit:g} s exceeded"
