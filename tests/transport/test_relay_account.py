"""One report per tunnel, with the reason that came first."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from eve_proxy.transport.relay_account import Ending, RelayAccount, RelayReport, Side


class Case:
    def __init__(self) -> None:
        self.clock = Clock()
        self.reports: list[RelayReport] = []
        self.idle = 0
        self.account = RelayAccount(clock=self.clock, idle_timeout=60.0, closed=self.reports.append)
        self.account.idle = self.count

    def count(self) -> None:
        self.idle += 1

    def gone(self, side: Side, error: Exception) -> bool:
        return self.account.gone(side, Failure(error))


@pytest.fixture
def case() -> Case:
    return Case()


def test_reports_when_both_are_closed(case: Case) -> None:
    """A tunnel is counted as open until neither side holds a socket."""
    case.account.moved(Side.UPSTREAM, 10)
    case.account.moved(Side.DOWNSTREAM, 3)
    case.account.moved(Side.DOWNSTREAM, 4)
    case.clock.advance(5)
    assert case.gone(Side.DOWNSTREAM, ConnectionDone()) is True
    assert case.reports == []
    assert case.gone(Side.UPSTREAM, ConnectionDone()) is True
    assert case.reports == [
        RelayReport(to_upstream=10, to_downstream=7, ending=Ending.CLOSED, ended_by=Side.DOWNSTREAM, seconds=5.0)
    ]
    assert case.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("first", "second", "ending", "by"),
    [
        (ConnectionLost(), ConnectionAborted(), Ending.RESET, Side.DOWNSTREAM),
        (ConnectionAborted(), ConnectionAborted(), Ending.ABORTED, Side.PROXY),
        (ConnectionDone(), ConnectionLost(), Ending.RESET, Side.UPSTREAM),
    ],
)
def test_an_orderly_end_may_turn_into_another(
    case: Case, first: Exception, second: Exception, ending: Ending, by: Side
) -> None:
    """A report never says closed when bytes may have been lost, and a reset by one side is not blamed on us."""
    case.gone(Side.DOWNSTREAM, first)
    case.gone(Side.UPSTREAM, second)
    assert (case.reports[0].ending, case.reports[0].ended_by) == (ending, by)


def test_our_reason_comes_first(case: Case) -> None:
    """What the idle clock ended is not reported as a reset."""
    case.account.ends(Ending.IDLE, Side.PROXY)
    case.gone(Side.DOWNSTREAM, ConnectionAborted())
    case.gone(Side.UPSTREAM, ConnectionLost())
    assert case.reports[0].ending is Ending.IDLE


def test_the_idle_clock(case: Case) -> None:
    """Whatever moves in either direction starts it again; it runs until both are closed."""
    case.clock.advance(59)
    case.account.moved(Side.UPSTREAM, 0)
    case.clock.advance(59)
    assert case.idle == 0
    case.gone(Side.UPSTREAM, ConnectionDone())
    case.clock.advance(1)
    assert case.idle == 1
