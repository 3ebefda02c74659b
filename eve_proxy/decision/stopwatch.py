"""The enforcement clock: runs while we judge, stands still while the client's body arrives (architecture.md)."""

from __future__ import annotations

from eve_proxy.interfaces import IClock
from eve_proxy.model.errors import DeadlineExceeded


class Stopwatch:
    """Measures one exchange's judging time against its deadline.

    :param clock: monotonic seconds.
    :param limit: EVE_PROXY_ENFORCE_TIMEOUT, seconds.
    """

    __slots__ = ("_clock", "_limit", "_spent", "_started")

    def __init__(self, clock: IClock, limit: float) -> None:
        self._clock = clock
        self._limit = limit
        self._spent = 0.0
        self._started: float | None = clock.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of judging so far."""
        if self._started is None:
            return self._spent
        return self._spent + self._clock.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds left; zero or less once the deadline has passed."""
        return self._limit - self.elapsed

    def pause(self) -> None:
        """Stand still."""
        self._spent = self.elapsed
        self._started = None

    def resume(self) -> None:
        """Go on."""
        self._started = self._clock.monotonic()

    def check(self) -> None:
        """Compare the clock with the deadline, whatever timers did or did not fire.

        :raises DeadlineExceeded: it is too late to accept anything that permits.
        """
        if self.remaining <= 0:
            raise DeadlineExceeded(deadline_text(self._limit))


def deadline_text(limit: float) -> str:
    """The reason of a certificate whose judging was too late."""
    return f"enforcement deadline of {limit:g} s exceeded"
