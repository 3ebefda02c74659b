"""One lazily re-armed timer per connection: setting a later deadline costs an assignment, not a heap operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_NEVER: Final = float("inf")


class Watchdog:
    """Calls ``expired()`` once its deadline has passed without being moved.

    :param clock: the reactor's time.
    :param expired: what to do; it may set the watchdog again.
    """

    __slots__ = ("_call", "_clock", "_due", "_expired", "_rings", "_seconds")

    def __init__(self, clock: IReactorTime, expired: Callable[[], object]) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self._expired = expired
        self._due: float | None = None
        self._call: IDelayedCall | None = None
        # When the timer that is under way ends: to be asked on every event, so not asked of the timer.
        self._rings = _NEVER

    def set(self, seconds: float) -> None:
        """The deadline is ``seconds`` from now, whatever it was before."""
        due = self._due = self._seconds() + seconds
        if due < self._rings:
            self._arm(due, seconds)

    def clear(self) -> None:
        """No deadline. A timer that is under way finds nothing to do."""
        self._due = None

    def stop(self) -> None:
        """For good: leaves nothing in the reactor."""
        self._due = None
        self._rings = _NEVER
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _arm(self, due: float, seconds: float) -> None:
        self._rings = due
        if self._call is None:
            self._call = self._clock.callLater(seconds, self._fire)
        else:
            self._call.reset(seconds)

    def _fire(self) -> None:
        self._call = None
        self._rings = _NEVER
        if self._due is None:
            return
        late = self._due - self._seconds()
        if late > 0:
            self._arm(self._due, late)
        else:
            self._due = None
            self._expired()
