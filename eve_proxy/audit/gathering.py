"""When to commit: at once for a lone record, and in a crowd as late as costs nobody much time.

A commit takes the processor some 100 µs, however many records it carries. While every turn of the reactor brings
another record, the reactor is busy and more are on their way, so the next commit waits for them: the clients in front
would be served no sooner, and all together with fewer commits. After a quiet turn it waits a moment longer, for the
clients that shared the last commit and are likely to come back together; when as many are there, for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from eve_proxy.interfaces import IClock

# Seconds that a record waits for others, at most: while they keep coming, and while it is quiet.
BUSY: Final = 0.004
QUIET: Final = 0.001


class Gathering:
    """Calls ``commit`` when it is time.

    :param waiting: how many records wait at the moment.
    :param commit: hands over all that wait; ``committed`` is called for each, here or elsewhere.
    """

    __slots__ = ("_call", "_clock", "_commit", "_crowd", "_quiet", "_seen", "_since", "_timers", "_waiting")

    def __init__(
        self, *, waiting: Callable[[], int], commit: Callable[[], object], clock: IClock, timers: IReactorTime
    ) -> None:
        self._waiting = waiting
        self._commit = commit
        self._clock = clock
        self._timers = timers
        self._crowd = 0  # records per commit, lately
        self._call: IDelayedCall | None = None
        self._quiet = False  # a turn went by without a new record
        self._seen = 0
        self._since = 0.0

    def offer(self) -> None:
        """One more record waits, or some do after a commit; none is under way."""
        if self._crowd <= 1:
            self._commit()
        elif self._call is None:
            self._since = self._clock.monotonic()
            self._next_turn()
        elif self._quiet and self._waiting() >= self._crowd:
            self._commit()

    def committed(self, records: int) -> None:
        """A commit of so many began."""
        self.stop()
        self._crowd = max(records, self._crowd // 2)

    def stop(self) -> None:
        """Wait for nobody any more."""
        call, self._call = self._call, None
        self._quiet = False
        if call is not None:
            call.cancel()

    def _next_turn(self) -> None:
        self._seen = self._waiting()
        self._call = self._timers.callLater(0, self._turn)

    def _turn(self) -> None:
        self._call = None
        waited, waiting = self._clock.monotonic() - self._since, self._waiting()
        if waiting > self._seen and waited < BUSY:
            self._next_turn()
        elif waiting < self._crowd and waited < QUIET:
            self._quiet = True
            self._call = self._timers.callLater(QUIET - waited, self._patience_over)
        else:
            self._commit()

    def _patience_over(self) -> None:
        self._call = None
        self._commit()
