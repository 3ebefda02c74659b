"""The enforcement clock."""

from __future__ import annotations

import pytest

from eve_proxy.decision.stopwatch import Stopwatch, deadline_text
from eve_proxy.model.errors import DeadlineExceeded
from tests.fakes.ports import FakeClock


def test_it_runs_from_the_start() -> None:
    """latency_ms counts from the moment at which judging begins."""
    clock = FakeClock()
    watch = Stopwatch(clock, 2.0)
    clock.advance(0.5)
    assert watch.elapsed == pytest.approx(0.5)
    assert watch.check() == pytest.approx(1.5)


def test_it_stands_still_while_the_body_arrives() -> None:
    """A client that needs a minute for its upload does not use up the judges' two seconds."""
    clock = FakeClock()
    watch = Stopwatch(clock, 2.0)
    clock.advance(0.5)
    watch.pause()
    clock.advance(60)
    assert watch.elapsed == pytest.approx(0.5)
    watch.resume()
    clock.advance(0.25)
    assert watch.elapsed == pytest.approx(0.75)
    assert watch.check() == pytest.approx(1.25)


def test_time_before_and_after_a_pause_adds_up() -> None:
    """A deadline cannot be stretched by pausing: what was spent stays spent."""
    clock = FakeClock()
    watch = Stopwatch(clock, 2.0)
    for _ in range(3):
        clock.advance(0.75)
        watch.pause()
        clock.advance(10)
        watch.resume()
    with pytest.raises(DeadlineExceeded):
        watch.check()


@pytest.mark.parametrize(("seconds", "late"), [(1.999, False), (2.0, True), (2.001, True)])
def test_the_deadline_itself_is_too_late(seconds: float, late: bool) -> None:
    """An allow counts just before the deadline, not at it and not after it, whether or not a timer fired."""
    clock = FakeClock()
    watch = Stopwatch(clock, 2.0)
    clock.advance(seconds)
    if not late:
        watch.check()
        return
    with pytest.raises(DeadlineExceeded, match=r"^enforcement deadline of 2 s exceeded$"):
        watch.check()


@pytest.mark.parametrize(("limit", "text"), [(2.0, "2 s"), (0.25, "0.25 s"), (30.0, "30 s")])
def test_the_reason_names_the_limit(limit: float, text: str) -> None:
    """An operator reads in the certificate which deadline was passed, in the variable's own unit."""
    assert deadline_text(limit) == f"enforcement deadline of {text} exceeded"
