"""The connection's state table, and that its drawing is true."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.wire.machine import (
    EGRESS,
    GRANTS,
    PERMITS,
    TRANSITIONS,
    Event,
    Machine,
    ProtocolViolation,
    State,
)

ROOT = Path(__file__).resolve().parents[2]
DECIDED = (Event.HEAD_STARTED, Event.HEAD_COMPLETE)


def run(*events: Event) -> Machine:
    machine = Machine()
    for event in events:
        machine.fire(event)
    return machine


def reachable(without: frozenset[Event]) -> set[State]:
    found = {State.IDLE}
    waiting = [State.IDLE]
    while waiting:
        for event, after in TRANSITIONS[waiting.pop()].items():
            if event not in without and after not in found:
                found.add(after)
                waiting.append(after)
    return found


def test_without_permits_no_egress_state_is_reachable() -> None:
    """Law 3: nothing but a permit leads a connection to an upstream."""
    assert not reachable(PERMITS) & EGRESS
    assert reachable(frozenset()) >= EGRESS
    assert {State.DIALING, State.RELAYING, State.OPENING, State.TUNNEL, State.INTERCEPT} == EGRESS


def test_only_permits_enter_egress_from_outside() -> None:
    """No later edge can be added from an undecided state straight to an upstream, whatever it is called."""
    entering = {
        event
        for state, row in TRANSITIONS.items()
        for event, after in row.items()
        if state not in EGRESS and after in EGRESS
    }
    assert entering == PERMITS == {event for event in Event if event.name.startswith("PERMIT_")}


def test_permits_are_given_only_after_judging() -> None:
    """A permit cannot be used before the head is complete, nor a second time while one is in use."""
    assert [state for state, row in TRANSITIONS.items() if PERMITS & row.keys()] == [State.JUDGING]


def test_every_state_has_a_row_and_every_event_an_edge() -> None:
    """The table is whole: no state without a way out, no event that never happens."""
    assert set(TRANSITIONS) == set(State)
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)
    assert all(row.get(Event.PEER_GONE) is State.CLOSED for row in TRANSITIONS.values())


def test_severing_only_ends() -> None:
    """After a refusal nothing on the connection is served any more."""
    assert set(TRANSITIONS[State.SEVERING].values()) == {State.CLOSED}
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


def test_keep_alive_exchange_returns_to_idle() -> None:
    """Two requests in turn on one connection are both served."""
    once = (*DECIDED, Event.PERMIT_FORWARD, Event.RESPONSE_STARTED, Event.RESPONSE_COMPLETE)
    assert run(*once, *once).state is State.IDLE


def test_local_answers_keep_or_end_the_connection() -> None:
    """A health check keeps the connection; a refusal severs it."""
    assert run(*DECIDED, Event.ANSWERED).state is State.IDLE
    assert run(*DECIDED, Event.REFUSED).state is State.SEVERING


def test_upstream_failure_before_the_response_can_be_answered() -> None:
    """A 502 may leave the connection usable; once a response has begun no second head can be written."""
    assert run(*DECIDED, Event.PERMIT_FORWARD, Event.ANSWERED).state is State.IDLE
    assert run(*DECIDED, Event.PERMIT_FORWARD, Event.UPSTREAM_FAILED).state is State.SEVERING
    machine = run(*DECIDED, Event.PERMIT_FORWARD, Event.RESPONSE_STARTED)
    for event in (Event.ANSWERED, Event.REFUSED, Event.VIOLATION, Event.RESPONSE_STARTED):
        with pytest.raises(ProtocolViolation):
            machine.fire(event)
    assert machine.fire(Event.UPSTREAM_FAILED) is State.SEVERING


@pytest.mark.parametrize("permit", [Event.PERMIT_FORWARD, Event.PERMIT_UPGRADE, Event.PERMIT_TUNNEL])
def test_a_permit_opens_only_what_it_is_for(permit: Event) -> None:
    """A permit for one exchange never opens a tunnel, and one for a tunnel never relays a response."""
    for event in (Event.RESPONSE_STARTED, Event.UPGRADED, Event.TUNNEL_OPENED, Event.TUNNEL_HELD):
        machine = run(*DECIDED, permit)
        if event in GRANTS[permit]:
            assert machine.fire(event) in EGRESS
        else:
            with pytest.raises(ProtocolViolation):
                machine.fire(event)
            assert machine.state is State.DIALING


def test_what_a_permit_grants_is_written_out() -> None:
    """A tunnel is opened by a tunnel permit or by a matching 101 to a judged upgrade, by nothing else."""
    assert {
        Event.PERMIT_FORWARD: {Event.RESPONSE_STARTED},
        Event.PERMIT_UPGRADE: {Event.RESPONSE_STARTED, Event.UPGRADED},
        Event.PERMIT_TUNNEL: {Event.TUNNEL_OPENED, Event.TUNNEL_HELD},
        Event.PERMIT_INTERCEPT: set(),
    } == GRANTS


def test_a_held_tunnel_is_relayed_only_when_cleared() -> None:
    """While the first bytes are looked at there is one way on, and it has to be taken on purpose."""
    held = (*DECIDED, Event.PERMIT_TUNNEL, Event.TUNNEL_HELD)
    assert run(*held, Event.INPUT_ENDED).state is State.OPENING
    assert run(*held, Event.TUNNEL_CLEARED).state is State.TUNNEL
    assert [event for event, after in TRANSITIONS[State.OPENING].items() if after is State.TUNNEL] == [
        Event.TUNNEL_CLEARED
    ]
    for event in (Event.REFUSED, Event.WITHDRAWN):
        assert run(*held, event).state is State.SEVERING


def test_a_grant_does_not_outlive_its_exchange() -> None:
    """The permit of the last request says nothing about the next."""
    machine = run(*DECIDED, Event.PERMIT_UPGRADE, Event.ANSWERED, *DECIDED, Event.PERMIT_FORWARD)
    with pytest.raises(ProtocolViolation):
        machine.fire(Event.UPGRADED)


@pytest.mark.parametrize("state", list(State))
def test_what_is_absent_is_a_violation_and_changes_nothing(state: State) -> None:
    """An event that cannot happen is reported with its name, and the connection stays where it was."""
    for event in set(Event) - TRANSITIONS[state].keys():
        machine = Machine()
        machine.state = state
        with pytest.raises(ProtocolViolation, match=f"{event.name} cannot happen in {state.name}"):
            machine.fire(event)
        assert machine.state is state


@given(st.lists(st.sampled_from(list(Event)), max_size=40))
def test_no_sequence_reaches_an_upstream_without_a_permit(events: list[Event]) -> None:
    """Whatever happens in whatever order, a connection is at an upstream only after a permit since it was idle."""
    machine = Machine()
    permitted = False
    for event in events:
        try:
            machine.fire(event)
        except ProtocolViolation:
            continue
        permitted = event in PERMITS or (permitted and machine.state is not State.IDLE)
        assert permitted or machine.state not in EGRESS


def test_the_drawing_is_the_table() -> None:
    """docs/state-machine.md shows what the daemon does: run scripts/draw-machine after a change of the table."""
    script = runpy.run_path(str(ROOT / "scripts" / "draw-machine"))
    assert (ROOT / "docs" / "state-machine.md").read_text(encoding="utf-8") == script["document"]()
