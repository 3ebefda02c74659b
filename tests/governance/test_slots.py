"""The bound on calls under way: fair, and without a way to lose a slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.slots import Slots


def test_slots_are_given_in_order_of_arrival() -> None:
    """Nobody starves behind later requests."""
    slots = Slots(1)
    assert slots.take()
    assert not slots.take()
    order: list[int] = []
    for number in range(3):
        slots.wait().addCallback(lambda _, number=number: order.append(number))
    slots.release()
    assert order == [0]
    assert not slots.take()
    slots.release()
    slots.release()
    assert order == [0, 1, 2]


def test_a_cancelled_waiter_leaves_the_queue() -> None:
    """A client that left does not take a slot from one that waits."""
    slots = Slots(1)
    slots.take()
    leaving, staying = slots.wait(), slots.wait()
    leaving.addErrback(lambda _: None)
    leaving.cancel()
    assert slots.waiting == 1
    slots.release()
    assert staying.called
    assert slots.waiting == 0


def test_ten_thousand_waiters_that_give_up_at_once_do_not_end_the_stack() -> None:
    """When the breaker opens, everybody who waits is refused, however many they are."""
    slots = Slots(1)
    slots.take()
    refused: list[int] = []
    broken: list[object] = []
    for number in range(10_000):
        waiter = slots.wait()
        waiter.addCallback(lambda _, number=number: (refused.append(number), slots.release()))
        waiter.addErrback(broken.append)
    slots.release()
    assert refused == list(range(10_000))
    assert broken == []
    assert slots.take()


def test_no_slots_make_no_sense() -> None:
    """A bound of zero would refuse everything for ever."""
    with pytest.raises(ValueError, match="at least one"):
        Slots(0)


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from(["enter", "leave", "cancel"]), st.integers(0, 5))))
def test_never_more_than_the_bound_and_never_a_lost_slot(size: int, steps: list[tuple[str, int]]) -> None:
    """Whatever comes, goes and is cancelled: at most so many run, and in the end all slots are back."""
    slots = Slots(size)
    inside = 0
    queue = []

    def enter(_: object) -> None:
        nonlocal inside
        inside += 1

    for step, pick in steps:
        if step == "enter":
            if slots.take():
                enter(None)
            else:
                waiter = slots.wait()
                waiter.addCallbacks(enter, lambda _: None)
                queue.append(waiter)
        elif step == "leave" and inside:
            inside -= 1
            slots.release()
        elif step == "cancel" and queue:
            queue.pop(pick % len(queue)).cancel()
        queue = [waiter for waiter in queue if not waiter.called]
        assert inside <= size
        assert not queue or inside == size
    for waiter in queue:
        waiter.cancel()
    for _ in range(inside):
        slots.release()
    assert [slots.take() for _ in range(size)] == [True] * size
    assert not slots.take()


def test_taken_and_waiting_can_be_seen() -> None:
    """An operator sees how many calls are under way, and how many wait."""
    slots = Slots(2)
    assert (slots.size, slots.taken, slots.waiting) == (2, 0, 0)
    assert slots.take()
    assert slots.take()
    slots.wait()
    assert (slots.taken, slots.waiting) == (2, 1)
    slots.release()
    assert (slots.taken, slots.waiting) == (2, 0)
    slots.release()
    assert slots.taken == 1
