"""What the service manager hears of the daemon's life, in which order."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from eve_proxy.systemd.reports import GLANCE, Reports
from eve_proxy.systemd.surroundings import Surroundings
from tests.fakes.ports import FakeClock


class Manager:
    """Hears what is told."""

    def __init__(self, watchdog: float | None = None, notify: str | None = "/run/notify") -> None:
        self.timers = Clock()
        self.heard: list[dict[str, Any]] = []
        self.status = "listening"
        self.asked = 0
        self.reports = Reports(
            Surroundings(notify=notify, watchdog=watchdog), clock=FakeClock(), timers=self.timers, notifier=self._listen
        )

    def _listen(self, where: str, *, timers: Clock) -> Any:
        assert (where, timers) == ("/run/notify", self.timers)
        return self

    def tell(self, **assignments: Any) -> None:
        self.heard.append(assignments)

    def ready(self) -> None:
        self.reports.ready(lambda: self.status, self._ask)

    def _ask(self, function: Any) -> Deferred[Any]:
        self.asked += 1
        return succeed(None)

    def news(self) -> list[dict[str, Any]]:
        """Heard since the last call."""
        heard, self.heard = self.heard, []
        return heard


def test_a_life() -> None:
    """Opening, ready, reload, stop: what `systemctl status` shows."""
    manager = Manager()
    manager.reports.opening("reading the journal")
    assert manager.news() == [{"STATUS": "reading the journal"}]
    manager.ready()
    assert manager.news() == [{"READY": 1, "STATUS": "listening"}]
    reread: Deferred[None] = Deferred()
    manager.reports.reloading(lambda: reread)
    assert manager.news() == [{"RELOADING": 1, "MONOTONIC_USEC": 1_000_000_000}]
    manager.status = "listening, another key"
    reread.callback(None)
    assert manager.news() == [{"READY": 1, "STATUS": "listening, another key"}]
    manager.reports.stopping("stopping", 26)
    assert manager.news() == [{"STOPPING": 1, "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": 26_000_000}]
    assert manager.timers.getDelayedCalls() == []


def test_a_reload_that_fails_is_over_too() -> None:
    """systemctl reload does not hang, and the failure is not swallowed."""
    manager = Manager()
    manager.ready()
    manager.news()
    failed = fail(ZeroDivisionError())
    manager.reports.reloading(lambda: failed)
    assert [list(said) for said in manager.news()] == [["RELOADING", "MONOTONIC_USEC"], ["READY", "STATUS"]]
    swallowed: list[Any] = []
    failed.addErrback(swallowed.append)
    assert len(swallowed) == 1


def test_a_reload_that_ends_during_the_stop() -> None:
    """A daemon on its way out does not say that it is ready."""
    manager = Manager()
    manager.ready()
    reread: Deferred[None] = Deferred()
    manager.reports.reloading(lambda: reread)
    manager.reports.stopping("stopping", 1)
    manager.news()
    reread.callback(None)
    assert manager.news() == []


def test_the_status_follows() -> None:
    """A journal that cannot be written shows in `systemctl status`, once, and so does its recovery."""
    manager = Manager()
    manager.ready()
    manager.news()
    manager.timers.pump([GLANCE] * 3)
    assert manager.news() == []
    manager.status = "the journal cannot be written"
    manager.timers.pump([GLANCE] * 3)
    assert manager.news() == [{"STATUS": "the journal cannot be written"}]


def test_the_watchdog_hears_at_half_its_time() -> None:
    """From readiness on, also while it stops: one late message does no harm."""
    manager = Manager(watchdog=30.0)
    assert manager.timers.getDelayedCalls() == []
    manager.ready()
    assert manager.news() == [{"READY": 1, "STATUS": "listening"}, {"WATCHDOG": 1}]
    manager.timers.pump([1.0] * 30)
    assert manager.news() == [{"WATCHDOG": 1}] * 2
    assert manager.asked == 3
    manager.reports.stopping("stopping", 1)
    manager.news()
    manager.timers.pump([1.0] * 15)
    assert manager.news() == [{"WATCHDOG": 1}]


def test_nobody_asks() -> None:
    """Without a service manager nothing is said and no timer runs; a reload is done all the same."""
    manager = Manager(watchdog=30.0, notify=None)
    done: list[int] = []
    manager.reports.opening("reading")
    manager.ready()
    manager.reports.reloading(lambda: succeed(done.append(1)))
    manager.reports.stopping("stopping", 1)
    assert (manager.heard, manager.timers.getDelayedCalls(), done) == ([], [], [1])
