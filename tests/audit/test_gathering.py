"""How long a record waits for others to share its commit."""

from __future__ import annotations

from eve_proxy.audit.gathering import BUSY, LEISURE, QUIET, Gathering
from tests.fakes.journal import JournalClock


class Bench:
    """A gathering, the records that wait, and the commits that were begun."""

    def __init__(self) -> None:
        self.clock = JournalClock()
        self.waiting = 0
        self.commits: list[int] = []
        self.gathering = Gathering(
            waiting=lambda: self.waiting, commit=self.commit, clock=self.clock, timers=self.clock
        )

    def commit(self) -> None:
        self.commits.append(self.waiting)
        self.gathering.committed(self.waiting)
        self.waiting = 0

    def record(self, count: int = 1) -> None:
        self.waiting += count
        self.gathering.offer()

    def crowd(self) -> None:
        """A commit of eight, after which it expects company."""
        self.waiting = 8
        self.commit()
        self.commits.clear()

    def turn(self) -> None:
        """One turn of the reactor; calls that are made in it wait for the next."""
        for call in self.clock.getDelayedCalls():
            if call.active() and call.getTime() <= self.clock.seconds():
                self.clock.calls.remove(call)
                call.called = 1
                call.func()


def test_a_lone_record_is_committed_at_once() -> None:
    """One client alone never waits for others that do not come."""
    bench = Bench()
    for _ in range(3):
        bench.record()
    assert bench.commits == [1, 1, 1]
    assert bench.clock.getDelayedCalls() == []


def test_few_records_wait_a_moment_and_not_longer() -> None:
    """Whoever comes alone after a rush hour is held up by a millisecond, once or twice."""
    bench = Bench()
    bench.crowd()
    bench.record()
    bench.turn()
    bench.clock.advance(QUIET / 2)
    assert bench.commits == []
    bench.record()
    bench.clock.advance(QUIET / 2)
    assert bench.commits == [2]
    assert bench.clock.getDelayedCalls() == []
    assert QUIET <= 0.001


def test_as_many_as_last_time_wait_for_nobody() -> None:
    """When all that were served together are back, they are served together again, at once."""
    bench = Bench()
    bench.crowd()
    bench.record(7)
    bench.turn()
    assert bench.commits == []
    bench.record()
    assert bench.commits == [8]
    assert bench.clock.getDelayedCalls() == []
    bench.record(8)
    bench.turn()
    assert bench.commits == [8, 8]


def test_turns_that_bring_records_are_waited_for() -> None:
    """Clients that keep coming share one commit."""
    bench = Bench()
    bench.crowd()
    bench.record()
    for _ in range(6):
        bench.record(2)
        bench.turn()
        assert bench.commits == []
    bench.turn()
    assert bench.commits == [13]


def test_the_waiting_has_a_bound_however_many_come() -> None:
    """A busy daemon does not keep its clients waiting without end."""
    bench = Bench()
    bench.crowd()
    bench.record()
    waited = 0.0
    while not bench.commits:
        bench.record()
        bench.clock.rightNow += 0.0005
        waited += 0.0005
        bench.turn()
        assert waited < 2 * BUSY
    assert waited >= BUSY
    assert BUSY <= 0.005


def test_when_the_crowd_has_gone_records_are_lone_again() -> None:
    """After a rush hour the next clients are served at once, within a few commits."""
    bench = Bench()
    bench.crowd()
    for _ in range(3):
        bench.record()
        bench.turn()
        bench.clock.advance(QUIET)
    assert bench.commits == [1, 1, 1]
    bench.record()
    assert bench.commits == [1, 1, 1, 1]


def test_a_commit_from_elsewhere_ends_the_waiting_too() -> None:
    """The alarm and the shutdown commit by themselves; nothing is committed twice."""
    bench = Bench()
    bench.crowd()
    bench.record()
    bench.turn()
    bench.commit()
    bench.turn()
    bench.clock.advance(1)
    assert bench.commits == [1]
    assert bench.clock.getDelayedCalls() == []


def test_what_nobody_waits_for_is_committed_at_leisure() -> None:
    """It waits a second for company, never longer, and never makes anybody else wait."""
    bench = Bench()
    bench.gathering.at_leisure()
    bench.gathering.at_leisure()
    bench.clock.advance(LEISURE - 0.01)
    assert bench.commits == []
    bench.record()
    assert bench.commits == [1]
    bench.clock.advance(0.02)
    assert bench.commits == [1, 0]
    bench.gathering.at_leisure()
    bench.gathering.stop()
    assert bench.clock.getDelayedCalls() == []
