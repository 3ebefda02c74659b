"""One lazily re-armed timer per connection: setting a later deadline costs an assignment, not a heap operation."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Watchdog:
    """Calls ``expired()`` once its deadline has passed without being moved.

    :param clock: the reactor's time.
    :param expired: what to do; it may set the watchdog again.
    """

    __slots__ = ("_call", "_clock", "_due", "_expired")

    def __init__(self, clock: IReactorTime, expired: Callable[[], object]) -> None:
        self._clock = clock
        self._expired = expired
        self._due: float | None = None
        self._call: IDelayedCall | None = None

    def set(self, seconds: float) -> None:
        """The deadline is ``seconds`` from now, whatever it was before."""
        due = self._due = self._clock.seconds() + seconds
        if self._call is None:
            self._call = self._clock.callLater(seconds, self._fire)
        elif self._call.getTime() > due:
            self._call.reset(seconds)

    def clear(self) -> None:
        """No deadline. A timer that is under way finds nothing to do."""
        self._due = None

    def stop(self) -> None:
        """For good: leaves nothing in the reactor."""
        self._due = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _fire(self) -> None:
        self._call = None
        if self._due is None:
            return
        late = self._due - self._clock.seconds()
        if late > 0:
            self._call = self._clock.callLater(late, self._fire)
        else:
            self._due = None
            self._expired()
