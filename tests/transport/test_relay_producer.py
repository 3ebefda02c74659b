"""The relay for transports that are no plain sockets; real sockets are in tests/conformance/test_relays.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from eve_proxy.transport.relay_account import Ending, RelayAccount, RelayReport
from eve_proxy.transport.relay_producer import ProducerRelay


class Transport(StringTransport):
    protocol: Any = None
    aborting = False

    def abortConnection(self) -> None:
        self.aborting = True


def account(closed: Callable[[RelayReport], object]) -> RelayAccount:
    return RelayAccount(clock=Clock(), idle_timeout=60.0, closed=closed)


class Case:
    def __init__(self) -> None:
        self.down, self.up = Transport(), Transport()
        self.reports: list[RelayReport] = []
        self.relay = ProducerRelay(self.down, self.up, account(self.reports.append))


@pytest.fixture
def case() -> Case:
    made = Case()
    made.relay.start(to_upstream=b"", to_downstream=b"")
    return made


def test_both_ways(case: Case) -> None:
    """What one side sends the other gets."""
    case.down.protocol.dataReceived(b"up")
    case.up.protocol.dataReceived(b"down")
    assert (case.up.value(), case.down.value()) == (b"up", b"down")
    assert (case.relay.to_upstream, case.relay.to_downstream) == (2, 4)


def test_each_side_is_the_others_producer(case: Case) -> None:
    """A side that does not read stops the other from being read."""
    case.down.producer.pauseProducing()
    assert case.up.producerState == "paused"
    assert case.down.producerState == "producing"
    case.down.producer.resumeProducing()
    assert case.up.producerState == "producing"


def test_what_waits_may_already_be_too_much() -> None:
    """A side that is full before the first read is not read past its bound."""
    made = Case()
    register = made.up.registerProducer

    def full(producer: Any, streaming: bool) -> None:
        register(producer, streaming)
        producer.pauseProducing()

    made.up.registerProducer = full  # type: ignore[method-assign]
    made.relay.start(to_upstream=b"x", to_downstream=b"")
    assert made.down.producerState == "paused"


def test_no_half_close_where_there_is_none(case: Case) -> None:
    """TLS knows no half-close: the end of one side ends the tunnel, after everything was sent."""
    case.up.protocol.dataReceived(b"last")
    case.up.protocol.readConnectionLost()
    assert (case.down.value(), case.down.disconnecting, case.up.disconnecting) == (b"last", True, True)
    for end in (case.up.protocol, case.down.protocol):
        end.connectionLost(Failure(ConnectionDone()))
    assert case.reports[0].ending is Ending.CLOSED


@pytest.mark.parametrize(
    ("error", "closed", "aborted"), [(ConnectionDone(), True, False), (ConnectionLost(), False, True)]
)
def test_the_end_of_one_is_the_end_of_the_other(case: Case, error: Exception, closed: bool, aborted: bool) -> None:
    """An orderly end is passed on as one, a reset as a reset."""
    case.down.protocol.connectionLost(Failure(error))
    assert (case.up.disconnecting, case.up.aborting) == (closed, aborted)
    case.up.protocol.dataReceived(b"late")
    assert case.relay.to_downstream == 0


def test_a_wrapped_transport() -> None:
    """Through TLS the relay stands where the protocol stood, above it."""
    inner = Protocol()
    wrapper = ProtocolWrapper(WrappingFactory(Factory()), inner)
    bottom = Transport()
    wrapper.makeConnection(bottom)
    up = Transport()
    ProducerRelay(wrapper, up, account(lambda _: None)).start(to_upstream=b"", to_downstream=b"")
    wrapper.dataReceived(b"clear text")
    assert up.value() == b"clear text"
