"""The fail-closed deadline: a race that a late answer cannot win (architecture.md, "The deadline is fail-closed").

``Deferred.addTimeout`` asks the guarded Deferred to fail and believes whatever it says then: a canceller or an errback
that answers "allow" gets its allow through, and an errback that returns a pending Deferred never fires at all. Here the
caller waits on an outer Deferred that the deadline settles *first*; the guarded one is cancelled afterwards and
everything it says from then on is discarded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from heapq import heappop, heappush
from itertools import count
from types import CoroutineType
from typing import Any, Protocol, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from eve_proxy.governance.driving import Drive
from eve_proxy.interfaces import Ready
from eve_proxy.model.errors import DeadlineExceeded

T = TypeVar("T")

_TOO_LATE = "no verdict before the enforcement deadline"


class _Cancellable(Protocol):
    def cancel(self) -> None: ...


class _Race:
    """One guarded Deferred or coroutine, and the outer Deferred that the first of answer and deadline settles.

    :ivar outer: None once settled: the state is read from here, and no reference cycle outlives the race.
    :ivar inner: what is guarded.
    :ivar timer: the race's own timer, if it has one.
    """

    __slots__ = ("inner", "outer", "timer")

    def __init__(self) -> None:
        self.inner: _Cancellable | None = None
        self.outer: Deferred[Any] | None = Deferred(self._given_up)
        self.timer: IDelayedCall | None = None

    def won(self, result: Any) -> None:
        """The guarded one answered; what it says after the race is dropped here."""
        outer = self._settle()
        if outer is not None:
            outer.callback(result)

    def lost(self, failure: Any) -> None:
        """The guarded one failed. Returning None also marks a discarded failure as handled: no noise later."""
        outer = self._settle()
        if outer is not None:
            outer.errback(failure)

    def late(self) -> None:
        """The deadline: first the caller learns it, then the guarded one is cancelled."""
        self._abandon(DeadlineExceeded(_TOO_LATE))

    def _given_up(self, _outer: Deferred[Any]) -> None:
        self._abandon(CancelledError())

    def _abandon(self, why: Exception) -> None:
        inner = self.inner
        outer = self._settle()
        if outer is not None:
            outer.errback(why)
            if inner is not None:
                inner.cancel()

    def _settle(self) -> Deferred[Any] | None:
        """Take the outer Deferred, which only the first caller gets, and stop the timer."""
        outer, self.outer, self.inner = self.outer, None, None
        timer = self.timer
        if timer is not None:
            self.timer = None
            if timer.active():
                timer.cancel()
        return outer


def timeoutDeferred(deferred: Deferred[T], seconds: float, clock: IReactorTime) -> Deferred[T]:
    """What ``deferred`` says, if it says so within ``seconds``; else ``DeadlineExceeded``.

    Cancelling the Deferred that is returned settles it with ``CancelledError`` first and cancels ``deferred`` second.

    :param seconds: from now. Zero, negative or NaN is already too late, even for a Deferred that has fired.
    :return: a Deferred of its own. ``deferred`` belongs to the race from here on: add no callbacks to it.
    """
    race = _Race()
    outer = cast("Deferred[T]", race.outer)
    race.inner = deferred
    if not seconds > 0:
        race.late()
    deferred.addCallbacks(race.won, race.lost)
    if race.outer is not None:
        race.timer = clock.callLater(seconds, race.late)
    return outer


class _Deadlines:
    """One timer of the reactor for all races under way, set for the first of their deadlines.

    Nearly every race is won, so a timer of its own would be made and cancelled for every request. Here a race that is
    over is forgotten when its turn comes. The timer may ring for one of those; it never rings too late.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._races: list[tuple[float, int, _Race]] = []  # a heap
        self._numbers = count()  # equal deadlines in order of arrival; races themselves are not compared
        self._call: IDelayedCall | None = None
        self._armed = 0.0

    def add(self, race: _Race, seconds: float) -> None:
        """``race`` is lost ``seconds`` from now, unless it is settled by then."""
        races, due = self._races, self._clock.seconds() + seconds
        while races and races[0][2].outer is None:
            heappop(races)
        heappush(races, (due, next(self._numbers), race))
        if self._call is None or due < self._armed:
            self._arm(due, seconds)

    def _arm(self, due: float, seconds: float) -> None:
        if self._call is not None:
            self._call.cancel()
        self._armed = due
        self._call = self._clock.callLater(max(0.0, seconds), self._ring)

    def _ring(self) -> None:
        self._call = None
        races = self._races
        try:
            while races and (races[0][2].outer is None or races[0][0] <= self._clock.seconds()):
                heappop(races)[2].late()  # does nothing to a race that is settled
        finally:
            # Also when a canceller broke: the defect is the reactor's to report, the other races still end in time.
            if races and (self._call is None or races[0][0] < self._armed):
                self._arm(races[0][0], races[0][0] - self._clock.seconds())


def race(clock: IReactorTime) -> Callable[[Awaitable[Any], float], Awaitable[Any]]:
    """The ``interfaces.Race`` of a reactor: takes Deferreds, coroutines and any other awaitable.

    As ``timeoutDeferred``, with one timer for all. An awaitable that is too late before it began is never started.
    The result is a Deferred, unless it was there already.
    """
    deadlines = _Deadlines(clock)

    def run(awaitable: Awaitable[Any], seconds: float) -> Awaitable[Any]:
        if not seconds > 0:
            return _too_late(awaitable)
        if type(awaitable) is Ready:
            return awaitable
        race = _Race()
        outer = race.outer
        assert outer is not None
        if isinstance(awaitable, Deferred):
            race.inner = awaitable
            awaitable.addCallbacks(race.won, race.lost)
        else:
            coroutine = awaitable if type(awaitable) is CoroutineType else _drive(awaitable)
            drive = Drive(coroutine, race.won, race.lost)
            if race.outer is not None:
                race.inner = drive
        if race.outer is not None:
            deadlines.add(race, seconds)
        return outer

    return run


def _too_late(awaitable: Awaitable[Any]) -> Deferred[Any]:
    race = _Race()
    outer = cast("Deferred[Any]", race.outer)
    if isinstance(awaitable, Deferred):
        race.inner = awaitable
    elif isinstance(awaitable, Coroutine):
        awaitable.close()
    race.late()
    if isinstance(awaitable, Deferred):
        awaitable.addCallbacks(race.won, race.lost)
    return outer


async def _drive(awaitable: Awaitable[T]) -> T:
    return await awaitable
