"""The deadline of a call."""

from __future__ import annotations

from eve_proxy.enforcement.library.deadline import Deadline
from tests.fakes.ports import FakeClock


def test_runs_from_when_it_is_made() -> None:
    """What is left shrinks with the clock, to zero and below."""
    clock = FakeClock()
    deadline = Deadline(clock, 2.0)
    clock.advance(0.5)
    assert (deadline.elapsed, deadline.left) == (0.5, 1.5)
    clock.advance(1.5)
    assert deadline.left == 0.0
    clock.advance(1)
    assert deadline.left == -1.0
    assert str(deadline.exceeded()) == deadline.text == "enforcement deadline of 2 s exceeded"
