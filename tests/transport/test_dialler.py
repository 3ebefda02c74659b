"""The only way out: permits in, connections to judged addresses out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.decision import Mode, Permit, Ticket
from eve_proxy.model.errors import PermitSpent, UpstreamFailed
from eve_proxy.transport import warm
from eve_proxy.transport.dialler import Dialler, WrongWay
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.pool import Pool
from tests.transport.bench import InParts

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


def permit(host: str = "a.example", *addresses: str, mode: Mode = Mode.FORWARD) -> Permit:
    return Permit(
        authority=parse_authority(host, 80),
        addresses=tuple(map(ip_address, addresses or ("192.0.2.1",))),
        mode=mode,
        certificate_id="cert_0",
        ticket=Ticket(),
    )


class Receiver(InParts):
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.body = b""

    def informational(self, head: Any) -> None:
        self.told.append(("informational", head.status))

    def responseStarted(self, head: Any) -> None:
        self.told.append(("started", head.status))

    def responseData(self, data: bytes) -> None:
        self.body += data

    def responseEnded(self, trailers: Any) -> None:
        self.told.append(("ended",))

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        self.told.append(("failed", str(error), started))

    def upgraded(self, head: Any, transport: Any, rest: bytes) -> None:
        self.told.append(("upgraded", rest))

    def flush(self) -> None:
        pass


class Transport(StringTransport):
    aborting = False

    def abortConnection(self) -> None:
        self.aborting = True


class Case:
    """A dialler on a reactor that dials nothing."""

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.dialler = Dialler(
            reactor=self.reactor, pool=Pool(), clock=self.reactor, timeout=30.0, ends=OwnEnds({3128})
        )

    def exchange(self, given: Permit | None = None, method: str = "GET") -> tuple[Receiver, Any]:
        receiver = Receiver()
        return receiver, self.dialler.exchange(given or permit(), HEAD, (), method=method, receiver=receiver)

    @property
    def dialled(self) -> list[tuple[str, int]]:
        return [(client[0], client[1]) for client in self.reactor.tcpClients]

    def connect(self, index: int = -1, here: str = "10.0.0.1", port: int = 40000) -> tuple[Any, Any]:
        host, there, factory = (self.reactor.tcpClients[index][n] for n in range(3))
        protocol = factory.buildProtocol(None)
        transport = Transport(IPv4Address("TCP", here, port), IPv4Address("TCP", host, there))
        protocol.makeConnection(transport)
        return protocol, transport

    def lost(self, index: int = -1) -> None:
        factory = self.reactor.tcpClients[index][2]
        factory.clientConnectionLost(self.reactor.connectors[index], Failure(ConnectionDone()))

    def warm(self) -> tuple[Any, Any]:
        """An idle connection in the pool."""
        self.exchange()
        protocol, transport = self.connect()
        protocol.dataReceived(OK)
        transport.clear()
        return protocol, transport


@pytest.fixture
def case() -> Case:
    return Case()


def test_dials_the_judged_address(case: Case) -> None:
    """The connection goes to the address in the permit; the name is never looked up again."""
    receiver, _ = case.exchange(permit("a.example:8080", "192.0.2.7"))
    assert case.dialled == [("192.0.2.7", 8080)]
    protocol, transport = case.connect()
    assert transport.value() == HEAD
    protocol.dataReceived(OK)
    assert receiver.told == [("started", 200), ("ended",)]
    assert receiver.body == b"ok"


def test_a_permit_opens_one_exchange(case: Case) -> None:
    """One decision, one exchange: a permit cannot be used again, for anything."""
    given = permit()
    case.exchange(given)
    with pytest.raises(PermitSpent):
        case.exchange(given)
    with pytest.raises(PermitSpent):
        case.dialler.tunnel(given, bytes)
    assert len(case.dialled) == 1


def test_reuses(case: Case) -> None:
    """The second request to an origin needs no handshake."""
    protocol, transport = case.warm()
    receiver, _ = case.exchange()
    assert len(case.dialled) == 1
    assert transport.value() == HEAD
    protocol.dataReceived(OK)
    assert receiver.told[-1] == ("ended",)
    assert (case.dialler.counts.dialled, case.dialler.counts.reused) == (1, 1)


def test_does_not_reuse_another_address(case: Case) -> None:
    """A connection to an address that this permit does not name is not used."""
    case.warm()
    case.exchange(permit("a.example", "192.0.2.2"))
    assert case.dialled[1] == ("192.0.2.2", 80)


def test_does_not_reuse_for_another_way(case: Case) -> None:
    """A permit that leads through a parent proxy gets no connection that goes around it, although one is idle."""
    _, transport = case.warm()
    with pytest.raises(WrongWay):
        case.exchange(replace(permit(), via="proxy.example:3128"))
    assert transport.value() == b""
    assert len(case.dialled) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_a_dead_connection_is_replaced_once(case: Case, method: str) -> None:
    """An origin that closed an idle connection costs the client nothing."""
    protocol, _ = case.warm()
    receiver, _ = case.exchange(method=method)
    protocol.connectionLost(Failure(ConnectionDone()))
    assert receiver.told == []
    fresh, transport = case.connect()
    assert transport.value() == HEAD
    fresh.connectionLost(Failure(ConnectionDone()))
    assert receiver.told == [("failed", "the connection was closed before an answer", False)]
    assert len(case.dialled) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH", "MKCALENDAR"])
def test_what_must_not_be_sent_twice_is_not(case: Case, method: str) -> None:
    """An order is never placed twice."""
    protocol, _ = case.warm()
    receiver, _ = case.exchange(method=method)
    protocol.connectionLost(Failure(ConnectionDone()))
    assert receiver.told == [("failed", "the connection was closed before an answer", False)]
    assert len(case.dialled) == 1


def test_no_second_attempt_after_a_byte(case: Case) -> None:
    """An answer that has begun is not asked for again."""
    protocol, _ = case.warm()
    receiver, _ = case.exchange()
    protocol.dataReceived(b"H")
    protocol.connectionLost(Failure(ConnectionDone()))
    assert receiver.told[0][0] == "failed"
    assert len(case.dialled) == 1


def test_a_fresh_connection_gets_one_attempt(case: Case) -> None:
    """A refusing origin is not hammered."""
    receiver, _ = case.exchange()
    protocol, _ = case.connect()
    protocol.connectionLost(Failure(ConnectionDone()))
    assert receiver.told == [("failed", "the connection was closed before an answer", False)]


def test_an_order_is_not_sent_into_a_closed_connection(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for a while is looked at before a POST uses it."""
    monkeypatch.setattr(warm, "still_open", lambda transport: False)
    _, transport = case.warm()
    case.reactor.advance(1.1)
    case.exchange(method="POST")
    assert transport.value() == b""
    assert transport.disconnecting
    assert len(case.dialled) == 2


def test_refused(case: Case) -> None:
    """The client learns why there is no answer."""
    receiver, _ = case.exchange()
    case.reactor.tcpClients[0][2].clientConnectionFailed(case.reactor.connectors[0], Failure(ConnectionRefusedError()))
    assert receiver.told == [("failed", "connection refused", False)]


def test_a_loop_is_reset(case: Case) -> None:
    """The proxy never serves as its own upstream."""
    receiver, _ = case.exchange(permit("a.example:3128", "10.0.0.1"))
    _, transport = case.connect(here="10.0.0.1")
    assert transport.aborting
    assert transport.value() == b""
    assert receiver.told == [("failed", "the destination is this proxy itself", False)]
    failed = case.dialler.tunnel(permit("a.example:3128", "10.0.0.1", mode=Mode.TUNNEL), bytes)
    _, transport = case.connect(here="10.0.0.1")
    assert transport.aborting
    assert isinstance(failed.result, Failure)
    failed.addErrback(lambda _: None)
    assert case.dialler.counts.loops == 2


def test_knows_its_own_connections(case: Case) -> None:
    """A listener recognises what comes from this process, until it is closed."""
    case.exchange()
    case.connect(port=40001)
    assert case.dialler.is_own(("10.0.0.1", 40001), ("10.0.0.1", 3128))
    case.lost()
    assert not case.dialler.is_own(("10.0.0.1", 40001), ("10.0.0.1", 3128))


def test_tunnel(case: Case) -> None:
    """CONNECT gets a connected socket that has not read a byte."""
    result = case.dialler.tunnel(permit(mode=Mode.TUNNEL), bytes)
    _, transport = case.connect()
    assert result.result is transport
    assert transport.producerState == "paused"


def test_tunnel_refused(case: Case) -> None:
    """A tunnel that cannot be opened says why."""
    result = case.dialler.tunnel(permit(mode=Mode.TUNNEL), bytes)
    case.reactor.tcpClients[0][2].clientConnectionFailed(case.reactor.connectors[0], Failure(ConnectionRefusedError()))
    told: list[str] = []
    result.addErrback(lambda failure: told.append(str(failure.value)))
    assert told == ["connection refused"]


def test_tunnel_cancelled(case: Case) -> None:
    """A client that leaves while its tunnel is being made stops the attempt."""
    result = case.dialler.tunnel(permit(mode=Mode.TUNNEL), bytes)
    result.addErrback(lambda failure: failure.trap(CancelledError))
    result.cancel()
    assert case.reactor.connectors[0]._disconnected
    _, transport = case.connect()
    assert transport.aborting


def test_upgrade(case: Case) -> None:
    """A permit to upgrade accepts a 101; a permit to forward does not."""
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nrest"
    for mode, told in ((Mode.UPGRADE, "upgraded"), (Mode.FORWARD, "failed")):
        receiver, _ = case.exchange(permit(mode=mode))
        case.connect()[0].dataReceived(answer)
        assert receiver.told[0][0] == told


def test_abort_while_connecting(case: Case) -> None:
    """A client that goes away stops its connection attempt."""
    receiver, handle = case.exchange()
    handle.abort()
    assert case.reactor.connectors[0]._disconnected
    assert case.connect()[1].aborting
    assert receiver.told == []


def test_abort_while_answered(case: Case) -> None:
    """A client that goes away stops the download."""
    receiver, handle = case.exchange()
    protocol, transport = case.connect()
    protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    handle.stopProducing()
    assert transport.aborting
    assert receiver.told == [("started", 200)]


def test_an_old_handle_is_inert(case: Case) -> None:
    """A client that is slow to notice its end does not disturb the next one on the same connection."""
    _, old = case.exchange()
    protocol, transport = case.connect()
    protocol.dataReceived(OK)
    receiver, _ = case.exchange()
    old.pauseProducing()
    assert transport.producerState == "producing"
    old.abort()
    assert not transport.aborting
    protocol.dataReceived(OK)
    assert receiver.told[-1] == ("ended",)


def test_back_pressure(case: Case) -> None:
    """A slow client slows the origin down, even if it was slow before there was a connection."""
    _, handle = case.exchange()
    handle.pauseProducing()
    _, transport = case.connect()
    assert transport.producerState == "paused"
    handle.resumeProducing()
    assert transport.producerState == "producing"


def test_idle_connections_are_closed(case: Case) -> None:
    """An origin that is no longer used costs no socket after a minute."""
    _, transport = case.warm()
    case.reactor.advance(59)
    assert not transport.disconnecting
    case.reactor.advance(1)
    assert transport.disconnecting
    case.reactor.advance(60)
    assert case.reactor.getDelayedCalls() == []


def test_a_closed_idle_connection_is_forgotten(case: Case) -> None:
    """An origin that closes an idle connection causes a new one, not an error."""
    protocol, _ = case.warm()
    protocol.connectionLost(Failure(ConnectionDone()))
    case.exchange(method="POST")
    assert len(case.dialled) == 2


def test_close(case: Case) -> None:
    """Stopping the daemon ends everything and tells who waits."""
    _, idle = case.warm()
    busy, _ = case.exchange(permit("b.example", "192.0.2.2"))
    _, used = case.connect()
    waiting, _ = case.exchange(permit("c.example", "192.0.2.3"))
    case.dialler.close()
    late, _ = case.exchange()
    for receiver in (busy, waiting, late):
        assert receiver.told == [("failed", "the proxy is shutting down", False)]
    assert (idle.disconnecting, used.aborting) == (True, True)
    assert case.connect()[1].aborting
    assert len(case.dialled) == 3
