"""Sockets for a thread that has so much time and no more: the first address that answers, TLS inside of TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from eve_proxy.interfaces import IClock
from eve_proxy.model.authority import Authority

# Seconds that are left; raises TimeoutError when none are.
Left = Callable[[], float]
_PIECE: Final = 65536


def dial_first(authority: Authority, left: Left) -> socket.socket:
    """The first address that answers; all of them share the time. (``create_connection`` gives it to each.)

    :raises OSError: none did.
    """
    left()
    failure: OSError | None = None
    for family, _, _, _, address in socket.getaddrinfo(authority.host, authority.port, type=socket.SOCK_STREAM):
        try:
            return dial(family, address, left)
        except OSError as error:
            failure = error
    raise failure or OSError("its name has no address")


def dial(family: int, address: Any, left: Left) -> socket.socket:
    """One address.

    :raises OSError: it cannot be connected to.
    """
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(left())
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


class InnerTls:
    """TLS over a connection that is TLS itself, which the ``ssl`` module wraps only once.

    What ``blocking_http.py`` uses of a socket, and no more. A timeout is for one call as a whole, however many records
    it takes.
    """

    def __init__(self, connection: ssl.SSLSocket, context: ssl.SSLContext, host: str, clock: IClock) -> None:
        self._connection = connection
        self._clock = clock
        self._seconds = 0.0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def settimeout(self, seconds: float) -> None:
        """For each call from now on."""
        self._seconds = seconds

    def handshake(self) -> None:
        """Agree on keys, and verify who it is.

        :raises OSError: it failed (``ssl.SSLError``), or did not end in time.
        """
        self._drive(self._tls.do_handshake)

    def send(self, data: Any) -> int:
        """As ``socket.send``."""
        return int(self._drive(lambda: self._tls.write(data)))

    def recv(self, size: int) -> bytes:
        """As ``socket.recv``."""
        try:
            return bytes(self._drive(lambda: self._tls.read(size)))
        except ssl.SSLZeroReturnError:
            return b""

    def close(self) -> None:
        """As ``socket.close``."""
        self._connection.close()

    def _drive(self, step: Callable[[], Any]) -> Any:
        until = self._clock.monotonic() + self._seconds
        while True:
            wanting = False
            result = None
            try:
                result = step()
            except ssl.SSLWantReadError:
                wanting = True
            finally:
                self._flush(until)  # an alert says to the peer what we do not like
            if not wanting:
                return result
            self._wait(until)
            data = self._connection.recv(_PIECE)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self, until: float) -> None:
        rest = self._outgoing.read()
        while rest:
            self._wait(until)
            rest = rest[self._connection.send(rest) :]

    def _wait(self, until: float) -> None:
        left = until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        self._connection.settimeout(left)
