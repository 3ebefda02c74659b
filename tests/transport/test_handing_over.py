"""Who hears of a connection next, whatever it is made of."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from eve_proxy.transport.handing_over import give_to


class Hearing(Protocol):
    def __init__(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data


def test_a_plain_socket() -> None:
    """The transport's own protocol is exchanged; nobody is told that it is connected."""
    transport, protocol = StringTransport(), Hearing()
    give_to(protocol, transport)
    assert transport.protocol is protocol  # type: ignore[attr-defined]
    assert protocol.transport is None


def test_tls_on_top() -> None:
    """What TLS has decrypted goes to the new protocol."""
    first, second = Hearing(), Hearing()
    wrapper: Any = ProtocolWrapper(WrappingFactory(Factory()), first)
    wrapper.makeConnection(StringTransport())
    wrapper.dataReceived(b"to the first")
    give_to(second, wrapper)
    wrapper.dataReceived(b"to the second")
    assert (first.heard, second.heard) == (b"to the first", b"to the second")


def test_tls_begun_later() -> None:
    """After startTLS() a TLS protocol sits between the socket and whoever was there."""
    transport: Any = StringTransport()
    transport.TLS = True
    transport.protocol = ProtocolWrapper(WrappingFactory(Factory()), Hearing())
    protocol = Hearing()
    give_to(protocol, transport)
    assert transport.protocol.wrappedProtocol is protocol
