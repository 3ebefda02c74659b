"""Several addresses, one connection."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.racing import NoOtherWay, Race, describe_connect_error, tcp

ADDRESSES = tuple(map(ip_address, ("2001:db8::1", "192.0.2.1", "192.0.2.2")))


class Case:
    """A race on a reactor that dials nothing."""

    def __init__(self, addresses: tuple[Any, ...] = ADDRESSES) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.won: list[Any] = []
        self.failed: list[UpstreamFailed] = []
        self.closed = 0
        self.race = Race(
            addresses,
            tcp(self.reactor, 443),
            clock=self.reactor,
            build=self.build,
            failed=self.failed.append,
            closed=self.count,
            timeout=30.0,
        )
        self.race.start()

    def build(self, address: Any) -> Protocol:
        self.won.append(address)
        return Protocol()

    def count(self) -> None:
        self.closed += 1

    @property
    def dialled(self) -> list[str]:
        return [client[0] for client in self.reactor.tcpClients]

    def connect(self, index: int) -> Any:
        transport = StringTransport()
        self.reactor.tcpClients[index][2].buildProtocol(None).makeConnection(transport)
        return transport

    def refuse(self, index: int, why: Exception | None = None) -> None:
        factory = self.reactor.tcpClients[index][2]
        factory.clientConnectionFailed(self.reactor.connectors[index], Failure(why or error.ConnectionRefusedError()))


def test_one_address_needs_one_attempt() -> None:
    """The usual case costs one connection and no timer."""
    case = Case(ADDRESSES[1:2])
    assert case.dialled == ["192.0.2.1"]
    assert case.reactor.tcpClients[0][1] == 443
    assert case.reactor.getDelayedCalls() == []
    case.connect(0)
    assert case.won == [IPv4Address("192.0.2.1")]


def test_the_next_address_after_a_failure() -> None:
    """An address that refuses costs no waiting."""
    case = Case()
    case.refuse(0)
    assert case.dialled == ["2001:db8::1", "192.0.2.1"]
    case.connect(1)
    assert case.won == [ADDRESSES[1]]
    assert case.reactor.getDelayedCalls() == []


def test_the_next_address_after_a_quarter_second() -> None:
    """An address that does not answer delays the client by 250 ms, not by a timeout."""
    case = Case()
    case.reactor.advance(0.24)
    assert len(case.dialled) == 1
    case.reactor.advance(0.01)
    assert case.dialled == ["2001:db8::1", "192.0.2.1"]
    case.connect(1)
    assert case.won == [ADDRESSES[1]]
    assert case.reactor.connectors[0]._disconnected
    case.reactor.advance(10)
    assert len(case.dialled) == 2


def test_the_first_address_may_still_win() -> None:
    """A slow first address is used when it answers before the second."""
    case = Case()
    case.reactor.advance(0.25)
    case.connect(0)
    assert case.won == [ADDRESSES[0]]


def test_a_second_winner_is_closed() -> None:
    """Two that answer in the same moment make one connection."""
    case = Case()
    case.reactor.advance(0.25)
    case.connect(0)
    loser = case.connect(1)
    assert loser.disconnecting
    assert len(case.won) == 1


def test_all_fail() -> None:
    """When no address is left the last reason is told, once."""
    case = Case(ADDRESSES[:2])
    case.reactor.advance(0.25)
    case.refuse(1)
    assert case.failed == []
    case.refuse(0, error.TimeoutError())
    assert [str(failure) for failure in case.failed] == ["timed out after 30 s"]
    case.refuse(0)
    assert len(case.failed) == 1


def test_all_within_one_timeout() -> None:
    """A name with many dead addresses takes no longer than one with one."""
    case = Case()
    case.reactor.advance(0.25)
    case.reactor.advance(0.25)
    assert [round(client[3], 6) for client in case.reactor.tcpClients] == [30.0, 29.75, 29.5]


def test_cancel() -> None:
    """A client that goes away stops every attempt and hears nothing."""
    case = Case()
    case.reactor.advance(0.25)
    case.race.cancel()
    assert case.reactor.getDelayedCalls() == []
    case.refuse(0)
    case.refuse(1)
    assert case.connect(1).disconnecting
    assert (case.won, case.failed) == ([], [])


def test_only_the_winners_end_is_told() -> None:
    """What is booked for a connection is released when that connection closes."""
    case = Case()
    case.reactor.advance(0.25)
    case.connect(0)
    for index, expected in ((1, 0), (0, 1)):
        factory = case.reactor.tcpClients[index][2]
        factory.clientConnectionLost(case.reactor.connectors[index], Failure(error.ConnectionDone()))
        assert case.closed == expected


@pytest.mark.parametrize(
    ("why", "text"),
    [
        (error.ConnectionRefusedError(), "connection refused"),
        (error.TimeoutError(), "timed out after 30 s"),
        (error.TCPTimedOutError(), "timed out after 30 s"),
        (error.getConnectError((101, "")), "network is unreachable"),
        (error.NoRouteError(113), "no route to host"),
        (error.ConnectBindError(24, "x"), "too many open files"),
        (ValueError("secret"), "cannot connect"),
    ],
)
def test_texts(why: Exception, text: str) -> None:
    """The client reads what happened, in words, and nothing that is not its business."""
    assert describe_connect_error(Failure(why), 30.0) == text


def test_a_failure_before_every_target() -> None:
    """What is in between is broken: no further target is tried, and whatever is under way stops."""
    case = Case()
    case.reactor.advance(0.25)
    case.refuse(0, NoOtherWay("parent proxy p:1: connection refused"))
    assert [str(failure) for failure in case.failed] == ["parent proxy p:1: connection refused"]
    assert case.dialled == ["2001:db8::1", "192.0.2.1"]
    case.reactor.advance(30)
    assert len(case.dialled) == 2
    assert len(case.failed) == 1


def test_a_failure_that_another_target_may_not_have() -> None:
    """Said by whoever is in between, told as it is when it is the last."""
    case = Case()
    for index in range(3):
        case.refuse(index, UpstreamFailed(f"refused {index}"))
    assert [str(failure) for failure in case.failed] == ["refused 2"]
