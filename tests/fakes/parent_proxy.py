"""A small HTTP proxy on loopback, over TCP or TLS: CONNECT and absolute-form, with credentials and with every fault.

Standard library only; knows nothing of the product.
"""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any

# ``fault(connection, head)``: what is done instead of proxying.
Fault = Callable[[Any, bytes], None]


class ParentProxy:
    """Accepts connections on a kernel-chosen port.

    :param tls: spoken with clients, as a server.
    :param credentials: ``user:password`` that must be shown, else 407.
    :param resolve: names that this proxy alone knows, and their addresses.
    :param fault: instead of everything else, once a head is there; may be exchanged at any time.
    :param early: sent together with the 200.
    :ivar heads: every request head so far.
    :ivar connections: how many were accepted.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        credentials: str | None = None,
        resolve: Mapping[str, str] | None = None,
        fault: Fault | None = None,
        early: bytes = b"",
    ) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._credentials = credentials
        self._resolve = dict(resolve or {})
        self.fault = fault
        self._early = early
        self._open: list[Any] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[str]:
        """The first lines of all requests."""
        return [head.split(b"\r\n")[0].decode("latin-1") for head in self.heads]

    def close(self) -> None:
        """Stop listening and reset what is open."""
        with contextlib.suppress(OSError):  # or the thread in accept() would go on listening
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def __enter__(self) -> ParentProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            connection: Any = raw if self._tls is None else self._tls.wrap_socket(raw, server_side=True)
            self._open.append(connection)
            with connection:
                self._answer(connection)
        except (OSError, ValueError):
            raw.close()

    def _answer(self, connection: Any) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        self.heads.append(head)
        if self.fault is not None:
            self.fault(connection, head)
            return
        if self._credentials is not None:
            shown = b"proxy-authorization: basic " + base64.b64encode(self._credentials.encode()).lower()
            if shown not in head.lower():
                connection.sendall(
                    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="parent"\r\n'
                    b"Content-Length: 14\r\n\r\nwho are you?\r\n"
                )
                return
        method, target, _ = head.split(b"\r\n")[0].decode("latin-1").split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with self._dial(host, int(port)) as origin:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n" + self._early)
                if rest:
                    origin.sendall(rest)
                pump(connection, origin)
            return
        authority, slash, path = target.removeprefix("http://").partition("/")
        host, colon, port = authority.rpartition(":")
        with self._dial(host if colon else authority, int(port) if colon else 80) as origin:
            lines = [f"{method} {slash}{path} HTTP/1.1".encode(), *head.split(b"\r\n")[1:]]
            kept = [line for line in lines if not line.lower().startswith(b"proxy-")]
            origin.sendall(b"\r\n".join(kept) + b"\r\n\r\n" + rest)
            pump(connection, origin)

    def _dial(self, host: str, port: int) -> socket.socket:
        name = host.strip("[]")
        return socket.create_connection((self._resolve.get(name, name), port), 10)


def pump(one: Any, other: Any) -> None:
    """Bytes both ways until both directions have ended; one side's end of sending is passed on where TLS lets it be."""
    ends = {one: other, other: one}
    while ends:
        ready = [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]
        for source in ready or select.select(list(ends), [], [], 30)[0]:
            sink = other if source is one else one
            data = source.recv(65536)
            if data:
                sink.sendall(data)
                continue
            del ends[source]
            if isinstance(source, ssl.SSLSocket) or isinstance(sink, ssl.SSLSocket):
                return
            try:
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                return


def says(*pieces: bytes, close: bool = True, reset: bool = False) -> Fault:
    """A fault: these bytes, and then the end, a reset, or silence."""

    def fault(connection: Any, _head: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif not close:
            while connection.recv(65536):
                pass

    return fault
