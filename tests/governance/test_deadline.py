"""The race that a late allow cannot win, and why Deferred.addTimeout is not one."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from eve_proxy.governance.deadline import race, timeoutDeferred
from eve_proxy.interfaces import Ready
from eve_proxy.model.errors import DeadlineExceeded

ALLOW = "allow"


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """What a Deferred has said so far: empty, or one result, or one exception."""
    said: list[Any] = []
    deferred.addCallbacks(said.append, lambda failure: said.append(failure.value))
    return said


@pytest.fixture
def noise() -> Generator[list[Any], None, None]:
    """Everything that is logged, 'Unhandled error in Deferred' included."""
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    gc.collect()
    globalLogPublisher.removeObserver(events.append)


# What makes addTimeout unfit. If one of these fails, Twisted has changed and the module's reason with it.


def test_addtimeout_lets_a_canceller_answer_after_the_deadline() -> None:
    """With addTimeout a late allow out of a canceller would pass."""
    clock = Clock()
    said = outcome(Deferred(lambda d: d.callback(ALLOW)).addTimeout(1, clock))
    clock.advance(1)
    assert said == [ALLOW]


def test_addtimeout_lets_an_errback_answer_after_the_deadline() -> None:
    """With addTimeout an errback that turns the cancellation into an allow would pass."""
    clock = Clock()
    guarded: Deferred[Any] = Deferred()
    guarded.addErrback(lambda _: ALLOW)
    said = outcome(guarded.addTimeout(1, clock))
    clock.advance(1)
    assert said == [ALLOW]


def test_addtimeout_never_fires_behind_a_pending_errback() -> None:
    """With addTimeout an errback that waits would hold the client for ever."""
    clock = Clock()
    guarded: Deferred[Any] = Deferred()
    guarded.addErrback(lambda _: Deferred())
    said = outcome(guarded.addTimeout(1, clock))
    clock.advance(3600)
    assert said == []
    assert TimeoutError is not DeadlineExceeded


# The same inners under our race.


def answering_canceller() -> Deferred[Any]:
    return Deferred(lambda d: d.callback(ALLOW))


def answering_errback() -> Deferred[Any]:
    return Deferred().addErrback(lambda _: ALLOW)


def pending_errback() -> Deferred[Any]:
    return Deferred().addErrback(lambda _: Deferred())


def failing_errback() -> Deferred[Any]:
    def worse(_: Failure) -> None:
        raise ValueError("cancelled badly")

    return Deferred().addErrback(worse)


def deaf() -> Deferred[Any]:
    return Deferred(lambda d: None)


STUBBORN = [answering_canceller, answering_errback, pending_errback, failing_errback, deaf]


@pytest.mark.parametrize("make", STUBBORN)
def test_the_deadline_wins_whatever_the_loser_says(make: Any, noise: list[Any]) -> None:
    """A governor that answers its cancellation with an allow is fail-closed, at the deadline, and without noise."""
    clock = Clock()
    said = outcome(timeoutDeferred(make(), 1, clock))
    clock.advance(0.999)
    assert said == []
    clock.advance(0.001)
    assert [type(what) for what in said] == [DeadlineExceeded]
    gc.collect()
    assert noise == []
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("make", STUBBORN)
def test_a_cancel_wins_whatever_the_loser_says(make: Any, noise: list[Any]) -> None:
    """A client that leaves is not answered with the allow of a canceller, and the timer does not stay behind."""
    clock = Clock()
    guarded = timeoutDeferred(make(), 1, clock)
    said = outcome(guarded)
    guarded.cancel()
    assert [type(what) for what in said] == [CancelledError]
    assert clock.getDelayedCalls() == []
    gc.collect()
    assert noise == []


def test_the_caller_learns_first_and_the_loser_is_cancelled_after() -> None:
    """The verdict does not wait for whatever a canceller does."""
    order: list[str] = []
    clock = Clock()
    guarded = timeoutDeferred(Deferred(lambda d: order.append("cancelled")), 1, clock)
    guarded.addErrback(lambda _: order.append("told"))
    clock.advance(1)
    assert order == ["told", "cancelled"]


def test_a_canceller_that_breaks_cannot_hide_the_verdict() -> None:
    """A defect in a canceller surfaces in the reactor, after the client was refused."""

    def broken(_: Deferred[Any]) -> None:
        raise RuntimeError("broken canceller")

    clock = Clock()
    said = outcome(timeoutDeferred(Deferred(broken), 1, clock))
    with pytest.raises(RuntimeError):
        clock.advance(1)
    assert [type(what) for what in said] == [DeadlineExceeded]


@pytest.mark.parametrize("late", [ALLOW, Failure(ValueError("late"))])
def test_a_result_after_the_deadline_is_dropped_silently(late: Any, noise: list[Any]) -> None:
    """An answer that arrives later changes nothing, and is no error in the log either."""
    clock = Clock()
    much_later: Deferred[Any] = Deferred()
    said = outcome(timeoutDeferred(Deferred().addErrback(lambda _: much_later), 1, clock))
    clock.advance(1)
    much_later.callback(late)
    gc.collect()
    assert [type(what) for what in said] == [DeadlineExceeded]
    assert noise == []


@pytest.mark.parametrize("seconds", [0, -1, -0.0, float("nan")])
@pytest.mark.parametrize("make", [lambda: succeed(ALLOW), lambda: fail(ValueError()), deaf, answering_canceller])
def test_no_time_left_is_too_late_even_for_an_answer_that_is_there(make: Any, seconds: float, noise: list[Any]) -> None:
    """A verdict that is accepted must have been in time, not merely quick."""
    clock = Clock()
    said = outcome(timeoutDeferred(make(), seconds, clock))
    assert [type(what) for what in said] == [DeadlineExceeded]
    assert clock.getDelayedCalls() == []
    gc.collect()
    assert noise == []


def test_an_answer_that_is_there_needs_no_timer() -> None:
    """The embedded governor's synchronous verdict costs no timer."""
    clock = Clock()
    clock.callLater = None  # type: ignore[assignment, method-assign]
    assert outcome(timeoutDeferred(succeed(ALLOW), 1, clock)) == [ALLOW]
    error = ValueError("defect")
    assert outcome(timeoutDeferred(fail(error), 1, clock)) == [error]


def test_an_answer_in_time_passes_and_stops_the_timer() -> None:
    """A verdict just before the deadline counts; nothing fires later."""
    clock = Clock()
    inner: Deferred[Any] = Deferred()
    said = outcome(timeoutDeferred(inner, 1, clock))
    clock.advance(0.999)
    inner.callback(ALLOW)
    assert said == [ALLOW]
    assert clock.getDelayedCalls() == []


def test_a_failure_in_time_passes_as_it_is() -> None:
    """The reason of a failed call reaches the certificate."""
    clock = Clock()
    inner: Deferred[Any] = Deferred()
    said = outcome(timeoutDeferred(inner, 1, clock))
    error = ValueError("defect")
    inner.errback(error)
    assert said == [error]
    assert clock.getDelayedCalls() == []


def test_nothing_of_a_finished_race_stays_in_memory() -> None:
    """A race leaves no reference cycle for the collector: it is on the path of every request."""
    clock = Clock()
    inner: Deferred[Any] = Deferred()
    outer = timeoutDeferred(inner, 1, clock)
    inner.callback(ALLOW)
    gc.collect()
    gc.disable()
    try:
        loser = weakref.ref(inner)
        del inner
        assert loser() is None
        del outer
        assert gc.collect() == 0
    finally:
        gc.enable()


# The port of the pipeline.


def test_race_drives_coroutines() -> None:
    """A governor may be a coroutine."""
    waiting: Deferred[str] = Deferred()

    async def judge() -> str:
        return await waiting

    said = outcome(race(Clock())(judge(), 1))
    assert said == []
    waiting.callback(ALLOW)
    assert said == [ALLOW]


def test_race_takes_deferreds_and_other_awaitables() -> None:
    """A governor may return anything that can be awaited."""

    class Later:
        def __await__(self) -> Generator[Any, Any, str]:
            return succeed(ALLOW).__await__()

    run = race(Clock())
    assert outcome(run(succeed(ALLOW), 1)) == [ALLOW]
    assert outcome(run(Later(), 1)) == [ALLOW]


def test_what_is_ready_passes_as_it_is_unless_it_is_too_late() -> None:
    """A verdict that needed nobody costs no Deferred, and is fail-closed without time left all the same."""
    run = race(Clock())
    ready = Ready(ALLOW)
    assert run(ready, 1) is ready
    for seconds in (0, -1, float("nan")):
        assert [type(what) for what in outcome(run(ready, seconds))] == [DeadlineExceeded]


def test_race_discards_a_coroutine_that_survives_its_cancellation() -> None:
    """A governor that catches the cancellation and answers allow is fail-closed."""

    async def stubborn() -> str:
        try:
            await Deferred()
        except CancelledError:
            return ALLOW
        return "unreachable"

    clock = Clock()
    said = outcome(race(clock)(stubborn(), 1))
    clock.advance(1)
    assert [type(what) for what in said] == [DeadlineExceeded]


def test_race_never_starts_what_is_already_too_late() -> None:
    """Without time left the governor is not asked at all."""
    started: list[str] = []

    async def judge() -> str:
        started.append("asked")
        return ALLOW

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        said = outcome(race(Clock())(judge(), 0))
        gc.collect()
    assert [type(what) for what in said] == [DeadlineExceeded]
    assert started == []
    assert warned == []  # no "coroutine was never awaited" for each request that comes too late


# One timer for all races of a reactor.


def test_races_end_in_the_order_of_their_deadlines() -> None:
    """A question with little time left does not wait for the deadline of one that came before it."""
    clock = Clock()
    run = race(clock)
    said: list[tuple[str, float]] = []
    for name, seconds in (("long", 5.0), ("short", 1.0), ("middle", 3.0), ("also middle", 3.0)):
        run(deaf(), seconds).addErrback(lambda _, name=name: said.append((name, clock.seconds())))
        assert len(clock.getDelayedCalls()) == 1
    for _ in range(12):
        clock.advance(0.5)
    assert said == [("short", 1.0), ("middle", 3.0), ("also middle", 3.0), ("long", 5.0)]
    assert clock.getDelayedCalls() == []


def test_a_race_that_begins_later_ends_later() -> None:
    """The timer of the first race does not cut the time of the second short, nor stretch it."""
    clock = Clock()
    run = race(clock)
    first, second = outcome(run(deaf(), 2)), outcome(run(deaf(), 2))
    clock.advance(1)
    third = outcome(run(deaf(), 2))
    clock.advance(1)
    assert [len(said) for said in (first, second, third)] == [1, 1, 0]
    clock.advance(0.999)
    assert third == []
    clock.advance(0.001)
    assert [type(what) for what in third] == [DeadlineExceeded]


def test_won_races_leave_one_timer_which_finds_nothing_to_do() -> None:
    """A thousand answers in time cost one timer, and after it has rung, none."""
    clock = Clock()
    run = race(clock)
    for _ in range(1000):
        inner: Deferred[Any] = Deferred()
        said = outcome(run(inner, 1))
        inner.callback(ALLOW)
        assert said == [ALLOW]
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(1)
    assert clock.getDelayedCalls() == []


def test_an_answer_that_is_there_needs_no_timer_here_either() -> None:
    """The embedded governor's synchronous verdict costs no timer."""

    async def judge() -> str:
        return ALLOW

    clock = Clock()
    clock.callLater = None  # type: ignore[assignment, method-assign]
    run = race(clock)
    assert outcome(run(succeed(ALLOW), 1)) == [ALLOW]
    assert outcome(run(judge(), 1)) == [ALLOW]


def test_a_race_that_begins_while_another_is_lost_has_a_timer() -> None:
    """Whoever asks again from inside a refusal is held to the deadline as well."""
    clock = Clock()
    run = race(clock)
    again: list[Any] = []
    run(deaf(), 1).addErrback(lambda _: again.append(outcome(run(deaf(), 1))))
    waiting = outcome(run(deaf(), 5))
    clock.advance(1)
    assert again == [[]]
    clock.advance(1)
    assert [type(what) for what in again[0]] == [DeadlineExceeded]
    clock.advance(3)
    assert [type(what) for what in waiting] == [DeadlineExceeded]


def test_a_canceller_that_breaks_does_not_hold_up_the_other_races() -> None:
    """A defect in one question's canceller leaves every other question its deadline."""

    def broken(_: Deferred[Any]) -> None:
        raise RuntimeError("broken canceller")

    clock = Clock()
    run = race(clock)
    first = outcome(run(Deferred(broken), 1))
    second, third = outcome(run(deaf(), 1)), outcome(run(deaf(), 2))
    with pytest.raises(RuntimeError):
        clock.advance(1)
    clock.advance(0)
    assert [type(what) for what in (*first, *second)] == [DeadlineExceeded, DeadlineExceeded]
    clock.advance(1)
    assert [type(what) for what in third] == [DeadlineExceeded]


def test_a_finished_race_keeps_nothing_of_what_it_guarded() -> None:
    """Until its turn comes the timer remembers that there was a race, and nothing else of the request."""
    clock = Clock()
    inner: Deferred[Any] = Deferred()
    said = outcome(race(clock)(inner, 1))
    inner.callback(ALLOW)
    gone = weakref.ref(inner)
    del inner
    assert said == [ALLOW]
    assert gone() is None


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["begin", "win"]), st.integers(1, 9)) | st.integers(1, 5), min_size=1, max_size=30
    )
)
def test_no_race_outlives_its_deadline_and_none_ends_before(moves: list[Any]) -> None:
    """However races come and go, each one that nobody answers ends exactly at its own deadline."""
    clock = Clock()
    run = race(clock)
    open_races: list[tuple[float, Deferred[Any], list[Any]]] = []
    for move in moves:
        if isinstance(move, int):
            for _ in range(move):
                clock.advance(1)
                for due, _inner, said in open_races:
                    assert bool(said) is (due <= clock.seconds())
                open_races = [entry for entry in open_races if not entry[2]]
        elif move[0] == "begin":
            inner: Deferred[Any] = Deferred()
            open_races.append((clock.seconds() + move[1], inner, outcome(run(inner, move[1]))))
        elif open_races:
            _, inner, said = open_races.pop(move[1] % len(open_races))
            inner.callback(ALLOW)
            assert said == [ALLOW]
        assert len(clock.getDelayedCalls()) <= 1


@given(
    make=st.sampled_from([Deferred, answering_canceller, deaf]),
    events=st.lists(st.sampled_from(["answer", "fail", "cancel"]) | st.floats(0.01, 0.6), min_size=1, max_size=6),
)
def test_the_first_event_decides_and_the_rest_is_silence(make: Any, events: list[Any]) -> None:
    """Whatever the order of answer, failure, cancel and time: an allow means that the answer was in time and first."""
    clock = Clock()
    inner = make()
    guarded = timeoutDeferred(inner, 1, clock)
    said = outcome(guarded)
    first = None
    for event in events:
        if isinstance(event, float):
            clock.advance(event)
            event = "late" if clock.seconds() >= 1 else None
        elif event == "cancel":
            guarded.cancel()
        elif not inner.called:
            inner.callback(ALLOW) if event == "answer" else inner.errback(ValueError())
        first = first or event
    expected = {None: [], "answer": [str], "fail": [ValueError], "cancel": [CancelledError], "late": [DeadlineExceeded]}
    assert [type(what) for what in said] == expected[first]
