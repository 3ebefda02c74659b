"""What stops the watchdog's messages, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from eve_proxy.systemd.pulse import PATIENCE, Pulse

EVERY = 15.0


class Patient:
    """A pulse on a clock of its own, beside a journal's thread that answers as it is told."""

    def __init__(self, ask: Callable[..., Deferred[Any]]) -> None:
        self.clock = Clock()
        self.beats = 0
        self.asked = 0
        self._answer = ask
        Pulse(self._beat, every=EVERY, ask=self._ask, monotonic=self.clock.seconds, timers=self.clock).start()

    def _beat(self) -> None:
        self.beats += 1

    def _ask(self, function: Callable[..., Any]) -> Deferred[Any]:
        self.asked += 1
        assert function() is None
        return self._answer()

    def lives(self, seconds: float) -> int:
        """How often it beats meanwhile."""
        before = self.beats
        self.clock.pump([EVERY] * int(seconds / EVERY))
        return self.beats - before


def test_it_beats_at_once_and_on() -> None:
    """The watchdog hears of a healthy daemon all the time."""
    patient = Patient(lambda: succeed(None))
    assert patient.beats == 1
    assert patient.lives(300) == 20


def test_a_thread_that_does_not_answer() -> None:
    """A thread that died, or hangs for good, ends in a restart; the thread is not asked twice."""
    patient = Patient(Deferred)
    with capturedLogs() as logs:
        assert patient.lives(PATIENCE) == PATIENCE / EVERY
        assert patient.lives(300) == 0
    assert patient.asked == 1
    assert [event["owed"] for event in logs] == [PATIENCE + EVERY]


def test_a_thread_that_answers_late() -> None:
    """A disk that hung and came back is no reason for a restart."""
    owed: Deferred[None] = Deferred()
    patient = Patient(lambda: owed)
    assert patient.lives(PATIENCE + 2 * EVERY) == PATIENCE / EVERY
    owed.callback(None)
    owed = succeed(None)
    assert patient.lives(60) == 4


def test_a_disk_that_is_full() -> None:
    """The thread answers, with an error or without: no restarts in a loop, it refuses and heals by itself."""
    patient = Patient(lambda: fail(OSError("No space left on device")))
    assert patient.lives(3600) == 240


def test_a_reactor_that_hangs_does_not_beat() -> None:
    """Missed beats are not made up for: after a gap there is one."""
    patient = Patient(lambda: succeed(None))
    patient.clock.advance(10 * EVERY)
    assert patient.beats == 2
