"""Questions to the decision service on warm connections."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from eve_proxy.governance.address import parse_governance_url
from eve_proxy.model.errors import ResolveFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.governance_http import GovernanceHttp
from eve_proxy.transport.own_ends import OwnEnds
from tests.transport.parent_bench import OPEN, PREFIX, ParentBench, says

HEADERS = Headers.of([(b"Content-Type", b"application/json"), (b"Authorization", b"Bearer t")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Transport(StringTransport):
    aborting = False

    def abortConnection(self) -> None:
        self.aborting = True


class Names:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Deferred[Any] = Deferred()

    def resolve(self, host: str) -> Deferred[Any]:
        self.asked.append(host)
        return self.answer


class Case:
    def __init__(self, url: str = "http://127.0.0.1:8000/base") -> None:
        self.reactor: Any = MemoryReactorClock()
        self.names = Names()
        self.address = parse_governance_url(url, insecure=True)
        self.http = GovernanceHttp(
            self.address,
            reactor=self.reactor,
            clock=self.reactor,
            tls=None,
            resolver=self.names,  # type: ignore[arg-type]
            ends=OwnEnds({3128}),
            timeout=2.0,
        )

    def call(self, body: bytes = b"{}") -> tuple[list[Any], Deferred[Any]]:
        told: list[Any] = []
        asking = self.http.call(self.address.path, HEADERS, body)
        asking.addCallbacks(told.append, lambda failure: told.append(failure.value))
        return told, asking

    def connect(self, index: int = -1, here: str = "10.0.0.1") -> tuple[Any, Transport]:
        host, port, factory = self.reactor.tcpClients[index][:3]
        protocol = factory.buildProtocol(None)
        transport = Transport(IPv4Address("TCP", here, 40000), IPv4Address("TCP", host, port))
        protocol.makeConnection(transport)
        return protocol, transport


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_question(case: Case) -> None:
    """One POST with the length, the host and the credential; status, headers and body come back."""
    told, _ = case.call(b'{"a":1}')
    protocol, transport = case.connect()
    assert transport.value() == (
        b"POST /base/v1/decisions/evaluate HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: application/json\r\n"
        b'Authorization: Bearer t\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
    protocol.dataReceived(OK)
    assert (told[0][0], told[0][2]) == (200, b"{}")


def test_warm(case: Case) -> None:
    """The second question needs no handshake and no lookup."""
    case.call()
    protocol, _ = case.connect()
    protocol.dataReceived(OK)
    told, _ = case.call()
    protocol.dataReceived(OK)
    assert told[0][0] == 200
    assert len(case.reactor.tcpClients) == 1


def test_a_connection_that_died_while_idle_is_replaced_once(case: Case) -> None:
    """A keep-alive timeout at the service costs no decision."""
    case.call()
    protocol, _ = case.connect()
    protocol.dataReceived(OK)
    told, _ = case.call(b"again")
    protocol.connectionLost(Failure(ConnectionDone()))
    assert told == []
    fresh, transport = case.connect()
    assert transport.value().endswith(b"again")
    fresh.connectionLost(Failure(ConnectionDone()))
    assert str(told[0]) == "governance service: the connection was closed before an answer"
    assert len(case.reactor.tcpClients) == 2


def test_refused(case: Case) -> None:
    """A service that is down is named as such."""
    told, _ = case.call()
    case.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    assert str(told[0]) == "governance service: connection refused"


@pytest.mark.parametrize("when", ["connecting", "asked", "resolving"])
def test_cancel(when: str) -> None:
    """A deadline that passed ends the call and closes its connection; a late answer reaches nobody."""
    case = Case("http://governor.example") if when == "resolving" else Case()
    told, asking = case.call()
    if when == "asked":
        _, transport = case.connect()
    asking.cancel()
    assert isinstance(told[0], CancelledError)
    if when == "connecting":
        assert case.reactor.connectors[0]._disconnected
    elif when == "asked":
        assert transport.aborting
    else:
        assert case.reactor.tcpClients == []
    assert len(told) == 1


def test_a_name_is_looked_up_to_dial_only() -> None:
    """The governance host may be a name; warm connections need no query."""
    case = Case("http://governor.example")
    told, _ = case.call()
    case.names.answer.callback((ip_address("192.0.2.1"), ip_address("192.0.2.2")))
    assert case.reactor.tcpClients[0][:2] == ("192.0.2.1", 80)
    protocol, transport = case.connect()
    assert b"\r\nHost: governor.example\r\n" in transport.value()
    protocol.dataReceived(OK)
    case.call()
    assert case.names.asked == ["governor.example"]
    assert told[0][0] == 200


def test_a_name_that_does_not_resolve() -> None:
    """The reason names the host."""
    case = Case("http://governor.example")
    told, _ = case.call()
    case.names.answer.errback(ResolveFailed("governor.example: no such name"))
    assert str(told[0]) == "governance service: governor.example: no such name"


def test_unix() -> None:
    """A service on this machine needs no port."""
    case = Case("unix:/run/governor.sock")
    told, _ = case.call()
    path, factory = case.reactor.unixClients[0][:2]
    assert path == "/run/governor.sock"
    protocol = factory.buildProtocol(None)
    transport = Transport()
    protocol.makeConnection(transport)
    assert transport.value().startswith(b"POST /v1/decisions/evaluate HTTP/1.1\r\nHost: localhost\r\n")
    protocol.dataReceived(OK)
    assert told[0][0] == 200
    case = Case("unix:/run/none.sock")
    told, _ = case.call()
    case.reactor.unixClients[0][1].clientConnectionFailed(None, Failure(ConnectError(2)))
    assert str(told[0]) == "governance service: no such file or directory"


def test_never_asks_itself() -> None:
    """A governance URL that leads to the proxy fails instead of going round in circles."""
    case = Case("http://10.0.0.1:3128")
    told, _ = case.call()
    _, transport = case.connect(here="10.0.0.1")
    assert str(told[0]) == "governance service: EVE_PROXY_GOVERNANCE_URL leads to this proxy itself"
    assert transport.aborting
    assert transport.value() == b""


def test_close(case: Case) -> None:
    """Stopping the daemon leaves no connection behind."""
    case.call()
    idle, idle_transport = case.connect()
    busy, _ = case.call()
    _, transport = case.connect()
    idle.dataReceived(OK)
    case.http.close()
    assert str(busy[0]) == "governance service: the proxy is shutting down"
    assert (idle_transport.disconnecting, transport.aborting) == (True, True)
    late, _ = case.call()
    assert str(late[0]) == "governance service: the proxy is shutting down"


@pytest.mark.parametrize("url", ["https://governor.example", "http://127.0.0.1"])
def test_tls_exactly_where_it_belongs(url: str) -> None:
    """An https address without TLS settings never goes out in the clear."""
    with pytest.raises(ValueError):
        GovernanceHttp(
            parse_governance_url(url),
            reactor=None,
            clock=MemoryReactorClock(),  # type: ignore[arg-type]
            tls=None if url.startswith("https") else object(),  # type: ignore[arg-type]
            resolver=Names(),  # type: ignore[arg-type]
            ends=OwnEnds(()),
        )


@pytest.mark.parametrize("bad", ["/a b", "/a\r\nX: y"])
def test_a_path_cannot_break_the_head(case: Case, bad: str) -> None:
    """Nothing that is configured adds a header by accident."""
    with pytest.raises(ValueError):
        case.http.call(bad, HEADERS, b"")
    with pytest.raises(ValueError):
        case.http.call("/a", Headers.of([(b"X", b"y\r\nZ: w")]), b"")


def test_behind_a_parent_proxy() -> None:
    """The service's name is told to the proxy and looked up by nobody here; inside the tunnel all is as without it."""
    bench = ParentBench()
    address = parse_governance_url("http://gov.example:8000", insecure=True)
    names = Names()
    http = GovernanceHttp(
        address, reactor=bench.reactor, clock=bench.reactor, tls=None, resolver=names, timeout=2.0,  # type: ignore[arg-type]
        ends=bench.parent.ends, parent=bench.parent,
    )  # fmt: skip
    told: list[Any] = []
    http.call(address.path, HEADERS, b"{}").addCallback(told.append)
    bench.names.answer()
    transport = bench.connect()
    assert transport.value().startswith(b"CONNECT gov.example:8000 HTTP/1.1\r\n")
    transport.clear()
    says(transport, OPEN)
    assert transport.value().startswith(b"POST /v1/decisions/evaluate HTTP/1.1\r\nHost: gov.example:8000\r\n")
    says(transport, OK)
    assert told[0][0] == 200
    http.call(address.path, HEADERS, b"{}")
    assert len(bench.dialled) == 1
    assert names.asked == []


def test_a_parent_proxy_that_fails() -> None:
    """The service could not be asked; the reason says who failed, and nobody else is dialled."""
    bench = ParentBench()
    address = parse_governance_url("http://gov.example:8000", insecure=True)
    http = GovernanceHttp(
        address, reactor=bench.reactor, clock=bench.reactor, tls=None, resolver=Names(), timeout=2.0,  # type: ignore[arg-type]
        ends=bench.parent.ends, parent=bench.parent,
    )  # fmt: skip
    failures: list[Any] = []
    http.call(address.path, HEADERS, b"{}").addErrback(failures.append)
    bench.names.answer()
    says(bench.connect(), b"HTTP/1.1 403 No\r\n\r\n")
    assert failures[0].getErrorMessage() == f"governance service: {PREFIX}refused CONNECT with status 403"
    assert len(bench.dialled) == 1
