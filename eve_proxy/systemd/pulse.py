"""Whether we are alive: what has to be so for the watchdog to hear of us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

# Seconds that the journal's thread may owe an answer. As long as the kernel gives a task before it calls it hung
# (kernel.hung_task_timeout_secs); what heals by itself has healed by then.
PATIENCE: Final = 120.0

_log = Logger()


class Pulse:
    """Beats while the reactor turns and the journal's thread answers.

    A reactor that hangs does not beat, because it is the reactor that calls. The thread is asked for nothing, behind
    all that it was asked before: once it has owed that for ``PATIENCE``, the pulse stops.

    A journal that cannot be written is no reason. The thread answers, each request gets its 503, and the journal tries
    again by itself: a restart would only cut the tunnels that are open, in a loop. Nor is a decision service that is
    away.

    :param beat: tells that we are alive.
    :param every: seconds between two beats.
    :param ask: ``ask(function)`` runs it in the journal's thread; the answer comes back on the reactor's.
    :param monotonic: seconds that never go back.
    :param timers: the reactor.
    """

    def __init__(
        self,
        beat: Callable[[], object],
        *,
        every: float,
        ask: Callable[..., Deferred[Any]],
        monotonic: Callable[[], float],
        timers: IReactorTime,
    ) -> None:
        self._beat = beat
        self._every = every
        self._ask = ask
        self._monotonic = monotonic
        self._asked: float | None = None  # when, while the answer is owed
        self._silent = False
        self._loop = LoopingCall(self._tick)
        self._loop.clock = timers

    def start(self) -> None:
        """The first beat is now."""
        self._loop.start(self._every, now=True)

    def _tick(self) -> None:
        now = self._monotonic()
        if self._asked is None:
            self._asked = now
            self._ask(_nothing).addBoth(self._answered)
        owed = 0.0 if self._asked is None else now - self._asked
        if owed <= PATIENCE:
            self._silent = False
            self._beat()
        elif not self._silent:
            self._silent = True
            _log.error(
                "the journal's thread has not answered for {owed} s; the watchdog is left to restart us", owed=int(owed)
            )

    def _answered(self, _: object) -> None:
        self._asked = None


def _nothing() -> None:
    """What the thread is asked to do."""
