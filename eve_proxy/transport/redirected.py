"""Connections that the kernel redirected to us: where they were going, and what they begin with.

A redirecting rule (``etc/``) rewrites the destination; the connection tracker remembers it (``SO_ORIGINAL_DST``). What
is not redirected shows our own listener there, or nothing, and is an ordinary client.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.wire.client_hello import ClientHelloReader, NotTls, Seen
from eve_proxy.wire.grammar import CRLF, TCHAR
from eve_proxy.wire.head_buffer import LINE_LIMIT
from eve_proxy.wire.machine import Event

if TYPE_CHECKING:
    from eve_proxy.transport.downstream import Downstream

# linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h; not in the socket module.
SO_ORIGINAL_DST: Final = 80
_SOCKADDR_IN: Final = struct.Struct("!2xH4s8x")
_SOCKADDR_IN6: Final = struct.Struct("!2xH4x16s4x")
_TLS: Final = 0x16
_FIRST_BYTES: Final = frozenset(TCHAR)

SILENT: Final = NotTls(reason="the client did not say in time what it speaks")
NEITHER: Final = NotTls(reason="neither HTTP nor TLS")


def original_destination(connection: socket.socket) -> Authority | None:
    """Where a redirected connection was going: a literal address and a port. None if it was not redirected.

    :param connection: an accepted socket.
    """
    try:
        found, here = _ask(connection), connection.getsockname()
    except OSError:
        # No connection tracking, no entry in it, or a client that has left already.
        return None
    if found is None:
        return None
    address, port = found
    if (str(address), port) == (here[0].partition("%")[0].removeprefix("::ffff:"), here[1]):
        return None
    return Authority(host=str(address), port=port, address=address)


def _ask(connection: socket.socket) -> tuple[IPAddress, int] | None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    # A dual-stack listener's IPv4 clients are asked about as IPv4.
    mapped = connection.family == socket.AF_INET6 and connection.getpeername()[0].startswith("::ffff:")
    if connection.family == socket.AF_INET or mapped:
        port, raw = _SOCKADDR_IN.unpack(connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, _SOCKADDR_IN.size))
        return IPv4Address(raw), port
    port, raw = _SOCKADDR_IN6.unpack(connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, _SOCKADDR_IN6.size))
    return IPv6Address(raw), port


class Arrival:
    """The first bytes of a redirected connection, held until it is known whether they are TLS, HTTP or neither.

    :param client: hears it: ``speaks_http`` gets the bytes back, ``speaks`` what else it is.
    """

    def __init__(self, client: Downstream) -> None:
        self._client = client
        self._line = b""
        self._hello: ClientHelloReader | None = None
        self._known = False

    @property
    def held(self) -> bytes:
        """Everything the client has sent."""
        return self._line if self._hello is None else self._hello.held

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self.held:
            self._client.machine.fire(Event.HEAD_STARTED)
            if data[0] == _TLS:
                self._hello = ClientHelloReader()
        if self._hello is not None:
            seen = self._hello.feed(data)
            if seen is not None:
                self._knows(seen)
            return
        self._line += data
        if self._known:
            return
        if self._line[0] not in _FIRST_BYTES:
            self._knows(NEITHER)
            return
        end = self._line.find(CRLF)
        if end >= 0 and self._line[:end].rpartition(b" ")[2] in (b"HTTP/1.1", b"HTTP/1.0"):
            self._known = True
            self._client.speaks_http(self._line)
        elif end >= 0 or b"\n" in self._line or len(self._line) > LINE_LIMIT:
            self._knows(NEITHER)

    def input_ended(self) -> None:
        """The client will send no more; what it has sent is being decided."""

    def expired(self) -> None:
        """The client has had its time."""
        self._knows(SILENT)

    def _knows(self, seen: Seen) -> None:
        if not self._known:
            self._known = True
            self._client.speaks(seen, self.held)
