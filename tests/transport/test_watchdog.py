"""The lazily re-armed timer."""

from twisted.internet.task import Clock

from eve_proxy.transport.watchdog import Watchdog


def make() -> tuple[Clock, list[float], Watchdog]:
    clock = Clock()
    fired: list[float] = []
    return clock, fired, Watchdog(clock, lambda: fired.append(clock.seconds()))


def test_expires_once() -> None:
    """A client that goes silent is noticed at its deadline, and once."""
    clock, fired, dog = make()
    dog.set(10)
    clock.pump([9.0, 1.0, 30.0])
    assert fired == [10.0]


def test_moving_the_deadline_costs_no_new_timer() -> None:
    """A busy connection keeps one timer in the reactor, and the last deadline counts."""
    clock, fired, dog = make()
    for _ in range(5):
        dog.set(10)
        clock.advance(6)
        assert len(clock.getDelayedCalls()) == 1
    assert fired == []
    clock.advance(4)
    assert fired == [34.0]


def test_an_earlier_deadline_is_kept() -> None:
    """A connection that becomes idle after a long wait is closed after the short one."""
    clock, fired, dog = make()
    dog.set(100)
    dog.set(5)
    clock.advance(5)
    assert fired == [5.0]


def test_cleared_and_stopped() -> None:
    """A deadline that was met never fires, and a closed connection leaves nothing in the reactor."""
    clock, fired, dog = make()
    dog.set(5)
    dog.clear()
    clock.advance(50)
    assert fired == []
    dog.set(5)
    dog.stop()
    assert clock.getDelayedCalls() == []
    dog.set(5)
    clock.advance(5)
    assert len(fired) == 1
