"""The deadline of one call: one moment, for judging and running together."""

from __future__ import annotations

from eve_proxy.decision.stopwatch import deadline_text
from eve_proxy.interfaces import IClock
from eve_proxy.model.errors import DeadlineExceeded


class Deadline:
    """Runs from the moment it is made.

    :param clock: monotonic seconds.
    :param seconds: the wrapper's ``timeout_s``.
    """

    __slots__ = ("_began", "_clock", "seconds")

    def __init__(self, clock: IClock, seconds: float) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds so far."""
        return self._clock.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds left; zero or less once it has passed."""
        return self.seconds - self.elapsed

    @property
    def text(self) -> str:
        """The reason of a certificate that came of it."""
        return deadline_text(self.seconds)

    def exceeded(self) -> DeadlineExceeded:
        """The error to raise when it has passed."""
        return DeadlineExceeded(self.text)
