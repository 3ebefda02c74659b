"""A parent proxy without sockets: its name is looked up and it is dialled in memory."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from eve_proxy.policy.parent_address import parse_parent_url
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.parent import Parent

NAME = "proxy.corp.example:3128"
PREFIX = f"parent proxy {NAME}: "
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class LegTransport(StringTransport):
    aborting = False

    def abortConnection(self) -> None:
        self.aborting = True


class Names:
    """A resolver that answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[Deferred[Any]] = []

    def resolve(self, host: str) -> Deferred[Any]:
        self.asked.append(host)
        self.answers.append(Deferred())
        return self.answers[-1]

    def answer(self, *addresses: str) -> None:
        """To everyone who waits."""
        waiting, self.answers = self.answers, []
        for each in waiting:
            each.callback(tuple(map(ip_address, addresses or ("10.9.9.9",))))


class ParentBench:
    """:param url: a name, so that it has to be looked up."""

    def __init__(self, url: str = f"http://{NAME}", authorization: bytes | None = None, **more: Any) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.names = Names()
        self.parent = Parent(
            parse_parent_url(url),
            variable="EVE_PROXY_UPSTREAM_PROXY",
            reactor=self.reactor,
            clock=self.reactor,
            resolver=self.names,  # type: ignore[arg-type]
            authorization=authorization,
            ends=OwnEnds({3128}),
            **more,
        )

    @property
    def dialled(self) -> list[tuple[str, int]]:
        return [(client[0], client[1]) for client in self.reactor.tcpClients]

    def connect(self, index: int = -1, here: str = "10.0.0.1", port: int = 40000) -> LegTransport:
        """The proxy, or whoever it is, accepts."""
        host, there, factory = self.reactor.tcpClients[index][:3]
        protocol = factory.buildProtocol(None)
        transport = LegTransport(IPv4Address("TCP", here, port), IPv4Address("TCP", host, there))
        transport.protocol = protocol  # type: ignore[attr-defined]
        protocol.makeConnection(transport)
        return transport

    def refuse(self, index: int = -1) -> None:
        factory = self.reactor.tcpClients[index][2]
        factory.clientConnectionFailed(self.reactor.connectors[index], Failure(ConnectionRefusedError()))

    def closed(self, transport: Any, index: int = -1, why: Exception | None = None) -> None:
        """The connection ends."""
        transport.protocol.connectionLost(Failure(why or ConnectionDone()))
        factory = self.reactor.tcpClients[index][2]
        factory.clientConnectionLost(self.reactor.connectors[index], Failure(ConnectionDone()))


def says(transport: Any, data: bytes) -> None:
    """What comes from the other side, to whoever is the protocol now."""
    transport.protocol.dataReceived(data)
