"""When to commit: at once for a lone record, and in a crowd as late as costs nobody much time.

A commit takes the processor some 100 µs, however many records it carries. While every turn of the reactor brings
another record, the reactor is busy and more are on their way, so the next commit waits for them: the clients in front
would be served no sooner, and all together with fewer commits. After a quiet turn it waits a moment longer, for the
clients that shared the last commit and are likely to come back together; when as many are there, for nobody.

Records that nobody waits for do not count in any of this. They go along, or after a second by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from eve_proxy.interfaces import IClock

# Seconds that a record waits for others, at most: while they keep coming, and while it is quiet.
BUSY: Final = 0.004
QUIET: Final = 0.001
# Seconds that a record which nobody waits for is left to be taken along.
LEISURE: Final = 1.0


class Gathering:
    """Calls ``commit`` when it is time.

    :param waiting: how many records somebody waits for at the moment.
    :param commit: hands over all that wait; ``committed`` is called for each, here or elsewhere.
    """

    __slots__ = (
        "_call",
        "_clock",
        "_commit",
        "_crowd",
        "_leisurely",
        "_quiet",
        "_seen",
        "_since",
        "_timers",
        "_waiting",
    )

    def __init__(
        self, *, waiting: Callable[[], int], commit: Callable[[], object], clock: IClock, timers: IReactorTime
    ) -> None:
        self._waiting = waiting
        self._commit = commit
        self._clock = clock
        self._timers = timers
        self._crowd = 0  # records per commit, lately
        self._call: IDelayedCall | None = None
        self._leisurely: IDelayedCall | None = None
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

    def at_leisure(self) -> None:
        """Nobody waits for what is there."""
        if self._leisurely is None:
            self._leisurely = self._timers.callLater(LEISURE, self._leisure_over)

    def committed(self, records: int) -> None:
        """A commit began; somebody waits for so many of its records."""
        self._stop_waiting()
        self._crowd = max(records, self._crowd // 2)

    def stop(self) -> None:
        """Wait for nobody any more."""
        self._stop_waiting()
        leisurely, self._leisurely = self._leisurely, None
        if leisurely is not None:
            leisurely.cancel()

    def _stop_waiting(self) -> None:
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

    def _leisure_over(self) -> None:
        self._leisurely = None
        self._commit()
