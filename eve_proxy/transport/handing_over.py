"""One connection, several protocols one after the other: who hears of it next."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.protocols.policies import ProtocolWrapper


def give_to(protocol: IProtocol, transport: Any) -> None:
    """Let ``protocol`` hear whatever ``transport`` says from now on; it is not told that it is connected.

    :param transport: of Twisted's own: a plain socket, or TLS on top of anything.
    """
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    elif getattr(transport, "TLS", False):
        # startTLS() put a TLS protocol between the socket and whoever was there.
        transport.protocol.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
