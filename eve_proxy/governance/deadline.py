"""The fail-closed deadline: a race that a late answer cannot win (architecture.md, "The deadline is fail-closed").

``Deferred.addTimeout`` asks the guarded Deferred to fail and believes whatever it says then: a canceller or an errback
that answers "allow" gets its allow through, and an errback that returns a pending Deferred never fires at all. Here the
caller waits on an outer Deferred that the deadline settles *first*; the guarded one is cancelled afterwards and
everything it says from then on is discarded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from eve_proxy.model.errors import DeadlineExceeded

T = TypeVar("T")

_TOO_LATE = "no verdict before the enforcement deadline"


class _Race:
    """One guarded Deferred, one timer, and the outer Deferred that the first of them settles."""

    __slots__ = ("_inner", "outer", "timer")

    def __init__(self, inner: Deferred[Any]) -> None:
        self._inner: Deferred[Any] | None = inner
        # None once settled: the state is read from here, and no reference cycle outlives the race.
        self.outer: Deferred[Any] | None = Deferred(self._given_up)
        self.timer: IDelayedCall | None = None

    def won(self, result: Any) -> None:
        """The guarded Deferred answered; what it says after the race is dropped here."""
        outer = self._settle()
        if outer is not None:
            outer.callback(result)

    def lost(self, failure: Any) -> None:
        """The guarded Deferred failed. Returning None also marks a discarded failure as handled: no noise later."""
        outer = self._settle()
        if outer is not None:
            outer.errback(failure)

    def late(self) -> None:
        """The deadline: first the caller learns it, then the guarded Deferred is cancelled."""
        self.timer = None  # it has just run
        self._abandon(DeadlineExceeded(_TOO_LATE))

    def _given_up(self, _outer: Deferred[Any]) -> None:
        self._abandon(CancelledError())

    def _abandon(self, why: Exception) -> None:
        inner = self._inner
        outer = self._settle()
        if outer is not None and inner is not None:
            outer.errback(why)
            inner.cancel()

    def _settle(self) -> Deferred[Any] | None:
        """Take the outer Deferred, which only the first caller gets, and stop the timer."""
        outer, self.outer, self._inner = self.outer, None, None
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()
        return outer


def timeoutDeferred(deferred: Deferred[T], seconds: float, clock: IReactorTime) -> Deferred[T]:
    """What ``deferred`` says, if it says so within ``seconds``; else ``DeadlineExceeded``.

    Cancelling the Deferred that is returned settles it with ``CancelledError`` first and cancels ``deferred`` second.

    :param seconds: from now. Zero, negative or NaN is already too late, even for a Deferred that has fired.
    :return: a Deferred of its own. ``deferred`` belongs to the race from here on: add no callbacks to it.
    """
    race = _Race(deferred)
    outer = cast("Deferred[T]", race.outer)
    if not seconds > 0:
        race.late()
        deferred.addCallbacks(race.won, race.lost)
        return outer
    deferred.addCallbacks(race.won, race.lost)
    if race.outer is not None:
        race.timer = clock.callLater(seconds, race.late)
    return outer


def race(clock: IReactorTime) -> Callable[[Awaitable[Any], float], Deferred[Any]]:
    """The ``interfaces.Race`` of a reactor: takes Deferreds, coroutines and any other awaitable.

    An awaitable that is too late before it began is never started.
    """

    def run(awaitable: Awaitable[Any], seconds: float) -> Deferred[Any]:
        if isinstance(awaitable, Deferred):
            return timeoutDeferred(awaitable, seconds, clock)
        if not seconds > 0:
            if isinstance(awaitable, Coroutine):
                awaitable.close()
            never: Deferred[Any] = Deferred()
            return timeoutDeferred(never, seconds, clock)
        coroutine = awaitable if isinstance(awaitable, Coroutine) else _drive(awaitable)
        return timeoutDeferred(Deferred.fromCoroutine(coroutine), seconds, clock)

    return run


async def _drive(awaitable: Awaitable[T]) -> T:
    return await awaitable
