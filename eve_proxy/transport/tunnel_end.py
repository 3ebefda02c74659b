"""The upstream's side of a tunnel before anybody relays it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol

from eve_proxy.transport.sending import set_nodelay

Heard = Callable[[bytes], object]


class TunnelEnd(Protocol):
    """Holds a connected transport until the relay takes it over; nothing is read in between.

    :param made: gets the transport, paused.
    :param heard: gets what arrives all the same: what a parent proxy sent along with its answer (before ``made``), or
        what TLS had decrypted already. It is the beginning of what the origin says.
    """

    transport: Any

    def __init__(self, made: Callable[[ITransport], object], heard: Heard) -> None:
        self._made = made
        self._heard = heard

    def connectionMade(self) -> None:
        """Give the transport away, paused."""
        self.transport.pauseProducing()
        set_nodelay(self.transport)
        self._made(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """It must not be lost."""
        self._heard(data)
