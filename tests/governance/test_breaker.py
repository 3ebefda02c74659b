"""A governor that is down is left alone for a while, and nobody can abuse that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.breaker import WINDOW, Breaker, State
from eve_proxy.model.errors import GovernorUnavailable
from tests.fakes.ports import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(5, clock.monotonic, lambda: 0.5)


def calls(breaker: Breaker, end: Callable[[int], None], times: int) -> None:
    for _ in range(times):
        end(breaker.admit())


def test_five_transport_failures_open_it_and_the_sixth_call_is_answered_at_once(breaker: Breaker) -> None:
    """With the governor down, clients stop waiting for the timeout."""
    calls(breaker, breaker.unreachable, 4)
    assert breaker.state is State.CLOSED
    calls(breaker, breaker.unreachable, 1)
    assert breaker.state is State.OPEN
    for refused in (breaker.admit, breaker.check):
        with pytest.raises(GovernorUnavailable, match="governance breaker open"):
            refused()


@pytest.mark.parametrize("end", ["answered", "upset"])
def test_any_answer_ends_a_row_of_failures(breaker: Breaker, end: str) -> None:
    """Only failures in a row open it: an HTTP error shows that the service is there."""
    calls(breaker, breaker.unreachable, 4)
    calls(breaker, getattr(breaker, end), 1)
    calls(breaker, breaker.unreachable, 4)
    assert breaker.state is State.CLOSED


def test_a_few_upsetting_bodies_do_not_open_it(breaker: Breaker) -> None:
    """A client cannot shut the service off for others with a few bodies that make it fail."""
    calls(breaker, breaker.answered, 11)
    calls(breaker, breaker.upset, 9)
    assert breaker.state is State.CLOSED


def test_half_of_the_last_twenty_calls_opens_it(breaker: Breaker) -> None:
    """A service that fails every other call is left alone."""
    calls(breaker, breaker.answered, 50)
    calls(breaker, breaker.upset, 9)
    assert breaker.state is State.CLOSED
    calls(breaker, breaker.upset, 1)
    assert breaker.state is State.OPEN


def test_errors_before_twenty_calls_were_seen_do_not_open_it(breaker: Breaker) -> None:
    """The first request after a start cannot be half of all requests."""
    calls(breaker, breaker.upset, WINDOW - 1)
    assert breaker.state is State.CLOSED
    calls(breaker, breaker.upset, 1)
    assert breaker.state is State.OPEN


def test_an_answer_never_opens_it(breaker: Breaker) -> None:
    """The call that succeeds is not the one that shuts the service off."""
    calls(breaker, breaker.upset, WINDOW - 1)
    calls(breaker, breaker.answered, 1)
    assert breaker.state is State.CLOSED


def test_old_errors_leave_the_window(breaker: Breaker) -> None:
    """Errors of an hour ago do not add up with those of now."""
    for _ in range(10):
        calls(breaker, breaker.upset, 9)
        calls(breaker, breaker.answered, 11)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 8.0), (0.5, 10.0), (0.999999, 12.0)])
def test_it_stays_open_for_ten_seconds_give_or_take(clock: FakeClock, jitter: float, seconds: float) -> None:
    """The daemons of one site do not all come back in the same instant."""
    breaker = Breaker(1, clock.monotonic, lambda: jitter)
    calls(breaker, breaker.unreachable, 1)
    clock.advance(seconds - 0.01)
    assert breaker.state is State.OPEN
    clock.advance(0.02)
    assert breaker.state is State.PROBING


def opened(breaker: Breaker, clock: FakeClock) -> None:
    calls(breaker, breaker.unreachable, 5)
    clock.advance(10)


def test_one_probe_at_a_time(breaker: Breaker, clock: FakeClock) -> None:
    """A service that comes back is not met by everybody at once."""
    opened(breaker, clock)
    probe = breaker.admit()
    for refused in (breaker.admit, breaker.check):
        with pytest.raises(GovernorUnavailable):
            refused()
    breaker.answered(probe)
    assert breaker.state is State.CLOSED
    breaker.admit()
    breaker.admit()


@pytest.mark.parametrize("end", ["unreachable", "upset"])
def test_a_failed_probe_opens_it_again(breaker: Breaker, clock: FakeClock, end: str) -> None:
    """A service that is still down is left alone for another ten seconds."""
    opened(breaker, clock)
    getattr(breaker, end)(breaker.admit())
    assert breaker.state is State.OPEN
    clock.advance(9.99)
    assert breaker.state is State.OPEN
    clock.advance(0.02)
    assert breaker.state is State.PROBING


def test_a_probe_whose_client_left_makes_room_for_the_next(breaker: Breaker, clock: FakeClock) -> None:
    """A client that disconnects during the probe does not leave the breaker stuck."""
    opened(breaker, clock)
    breaker.abandoned(breaker.admit())
    assert breaker.state is State.PROBING
    breaker.answered(breaker.admit())
    assert breaker.state is State.CLOSED


def test_stragglers_of_an_earlier_state_change_nothing(breaker: Breaker, clock: FakeClock) -> None:
    """A call that began before the outage says nothing about the service after it."""
    stragglers = [breaker.admit() for _ in range(12)]
    opened(breaker, clock)
    breaker.answered(stragglers.pop())
    assert breaker.state is State.PROBING
    probe = breaker.admit()
    breaker.abandoned(stragglers.pop())
    with pytest.raises(GovernorUnavailable):
        breaker.admit()
    breaker.answered(probe)
    for straggler in stragglers:
        breaker.unreachable(straggler)
    assert breaker.state is State.CLOSED


def test_after_a_recovery_the_count_starts_anew(breaker: Breaker, clock: FakeClock) -> None:
    """One failure after a recovery is one failure."""
    opened(breaker, clock)
    breaker.answered(breaker.admit())
    calls(breaker, breaker.unreachable, 4)
    assert breaker.state is State.CLOSED
    calls(breaker, breaker.answered, 10)
    calls(breaker, breaker.upset, 5)
    assert breaker.state is State.CLOSED
    calls(breaker, breaker.upset, 1)
    assert breaker.state is State.OPEN


def test_clients_that_leave_never_open_it(breaker: Breaker) -> None:
    """A client that disconnects a thousand times does not shut the service off for others."""
    calls(breaker, breaker.abandoned, 1000)
    assert breaker.state is State.CLOSED


def test_zero_turns_it_off(clock: FakeClock) -> None:
    """EVE_PROXY_GOVERNANCE_BREAKER=0 asks however often it fails."""
    breaker = Breaker(0, clock.monotonic, lambda: 0.5)
    calls(breaker, breaker.unreachable, 1000)
    assert breaker.state is State.CLOSED


def test_a_negative_threshold_is_refused(clock: FakeClock) -> None:
    """A threshold that makes no sense stops the start."""
    with pytest.raises(ValueError, match="threshold"):
        Breaker(-1, clock.monotonic, lambda: 0.5)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["answered", "upset", "unreachable", "abandoned", "ask", "wait"]))
    )
)
def test_it_always_comes_back(steps: list[tuple[int, str]]) -> None:
    """After any history of calls, a service that answers is asked again within twelve seconds."""
    clock = FakeClock()
    breaker = Breaker(2, clock.monotonic, lambda: 0.9)
    tickets: list[int] = []
    for pick, step in steps:
        if step == "wait":
            clock.advance(pick * 2)
        elif step == "ask":
            try:
                tickets.append(breaker.admit())
            except GovernorUnavailable:
                assert breaker.state is not State.CLOSED
        elif tickets:
            getattr(breaker, step)(tickets.pop(pick % len(tickets)))
    for ticket in tickets:
        breaker.abandoned(ticket)
    clock.advance(12)
    breaker.answered(breaker.admit())
    assert breaker.state is State.CLOSED


@given(ends=st.lists(st.sampled_from(["answered", "answered", "answered", "upset", "unreachable"]), max_size=120))
def test_long_quiet_times_are_not_forgotten(ends: list[str]) -> None:
    """After any past, ten failures of twenty calls open it, and nine do not, however many answers came before."""
    breaker, seen = Breaker(5, FakeClock().monotonic, lambda: 0.5), []
    for end in ends:
        if breaker.state is not State.CLOSED:
            return
        getattr(breaker, end)(breaker.admit())
        seen.append(end)
        recent, row = seen[-WINDOW:], seen[-5:]
        opened = end != "answered" and (
            (len(recent) == WINDOW and sum(one != "answered" for one in recent) * 2 >= WINDOW)
            or row == ["unreachable"] * 5
        )
        assert (breaker.state is State.OPEN) is opened


def test_every_call_is_counted_by_how_it_ended(breaker: Breaker) -> None:
    """An operator sees what comes back, stragglers and a spotless row of answers included, and what was not asked."""
    for _ in range(30):
        breaker.answered(breaker.admit())
    straggler = breaker.admit()
    breaker.abandoned(breaker.admit())
    breaker.upset(breaker.admit())
    for _ in range(5):
        breaker.unreachable(breaker.admit())
    breaker.answered(straggler)
    for attempt in (breaker.check, breaker.admit):
        with pytest.raises(GovernorUnavailable):
            attempt()
    assert breaker.ended == {"answered": 31, "upset": 1, "unreachable": 5, "abandoned": 1, "refused": 2}
