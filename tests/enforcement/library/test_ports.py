"""What the pipeline asks of one call, each port by itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from eve_proxy.enforcement.library.deadline import Deadline
from eve_proxy.enforcement.library.ports import CallRace, CallSink, HastySink, NoResolver, judge_no_address
from eve_proxy.enforcement.library.runners import Runners
from eve_proxy.enforcement.library.waiting import BlockingWait, drive
from eve_proxy.interfaces import IAuditSink, IResolver
from eve_proxy.model.authority import parse_host
from eve_proxy.model.errors import DeadlineExceeded, JournalUnavailable, ResolveFailed
from eve_proxy.model.verdict import Outcome
from tests.fakes.journal import draft
from tests.fakes.library import ALLOW, FakeJournal
from tests.fakes.ports import FakeClock


class Waits(BlockingWait):
    """Notes how long it is asked to wait, and never does."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def settled(self, future: Any, seconds: float) -> bool:
        self.asked.append(seconds)
        return await super().settled(future, 0)


def sink(left: float) -> tuple[CallSink, FakeJournal, Waits]:
    journal, waits = FakeJournal(), Waits()
    return CallSink(journal, waits, Deadline(FakeClock(), left)), journal, waits


@pytest.mark.parametrize(("outcome", "seconds"), [(Outcome.ALLOW, 2), (Outcome.FAIL_OPEN, 2), (Outcome.BLOCK, 5)])
def test_an_allow_waits_for_the_disk_as_long_as_the_call_has(outcome: Outcome, seconds: float) -> None:
    """A refusal may take EVE_PROXY_AUDIT_TIMEOUT to be written down: nothing is delayed but the bad news."""
    call_sink, _, waits = sink(2)
    drive(call_sink.record(draft(verdict=outcome.value)))
    assert waits.asked == [seconds]


def test_a_long_call_waits_for_the_disk_no_longer_than_the_journal_says() -> None:
    """EVE_PROXY_AUDIT_TIMEOUT bounds both."""
    call_sink, _, waits = sink(60)
    drive(call_sink.record(draft(verdict="allow")))
    assert waits.asked == [5]


def test_what_is_not_durable_in_time_is_given_up() -> None:
    """The journal hears of it, so that a line that lands after all becomes void."""
    call_sink, journal, _ = sink(2)
    journal.held = True
    with pytest.raises(JournalUnavailable, match="slow disk"):
        drive(call_sink.record(draft()))
    assert len(journal.given_up) == 1


def test_an_interrupted_wait_is_given_up_too() -> None:
    """Ctrl-C while the disk works: the allow that nobody got becomes void."""

    class Interrupted(BlockingWait):
        async def settled(self, future: Any, seconds: float) -> bool:
            raise KeyboardInterrupt

    journal = FakeJournal()
    with pytest.raises(KeyboardInterrupt):
        drive(CallSink(journal, Interrupted(), Deadline(FakeClock(), 2)).record(draft()))
    assert len(journal.given_up) == 1


def test_the_ports_are_provided() -> None:
    """The pipeline is given what it expects."""
    assert IAuditSink.providedBy(sink(1)[0])
    assert IAuditSink.providedBy(HastySink(FakeJournal()))
    assert IResolver.providedBy(NoResolver())


async def allow(ran: list[str]) -> Any:
    ran.append("ran")
    return ALLOW


@pytest.mark.parametrize(("seconds", "spent"), [(0.0, 0.0), (-1.0, 0.0), (5.0, 2.0)])
def test_a_judge_that_is_too_late_is_never_asked(seconds: float, spent: float) -> None:
    """No time left on either clock: not even the question goes out."""
    clock, ran = FakeClock(), []
    nobody: Any = None  # no judge is even looked for
    late = CallRace(BlockingWait(), nobody, Deadline(clock, 2.0))
    clock.advance(spent)
    with pytest.raises(DeadlineExceeded):
        drive(late(allow(ran), seconds))
    assert ran == []


def test_a_judge_that_no_thread_took_is_never_asked() -> None:
    """When every judge hangs, a question that waited in vain is dropped."""
    runners, release, ran = Runners("judge", 1), threading.Event(), []
    runners.submit(release.wait, 20)
    with pytest.raises(DeadlineExceeded):
        drive(CallRace(BlockingWait(), runners, Deadline(FakeClock(), 0.02))(allow(ran), 1))
    release.set()
    assert runners.submit(int).result(20) == 0
    assert ran == []


def test_nothing_is_looked_up_or_dialled() -> None:
    """A call leads nowhere that the wrapper knows."""
    with pytest.raises(ResolveFailed):
        drive(NoResolver().resolve("api.example.com"))
    address = parse_host("93.184.216.34")[1]
    assert address is not None
    assert judge_no_address(address, 443).outcome is Outcome.BLOCK
