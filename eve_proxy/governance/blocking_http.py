"""One question to the decision service from a thread: sockets and TLS of the standard library, our own strict reader.

The twin of ``transport/governance_http.py`` for processes without a reactor. Every step gets what is left of the
question's time, so that a service that sends one byte now and then holds no thread beyond it. Only the lookup of its
name cannot be bounded (``getaddrinfo`` takes what the system's resolver takes).
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from eve_proxy.governance.address import GovernanceAddress, Kind
from eve_proxy.governance.blocking_dial import InnerTls, dial, dial_first
from eve_proxy.governance.blocking_parent import BlockingParent
from eve_proxy.governance.blocking_words import said
from eve_proxy.interfaces import IClock
from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import GovernorMisbehaved, GovernorUnavailable, UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.wire.events import Data, End, ResponseHead
from eve_proxy.wire.response_reader import ResponseReader

Answer = tuple[int, Headers, bytes]
Connection = socket.socket | InnerTls

# governance-api.md, "Answer".
_MOST: Final = 1024 * 1024
_PIECE: Final = 65536
_IDLE: Final = 16  # warm connections kept at most
_LOCAL: Final = Authority(host="localhost", port=80)


def load_client_context(*, ca: Path | None = None, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later; the service's certificate must be valid for its host.

    :param ca: PEM roots to use instead of the system's.
    :param cert: our PEM certificate; ``key``: its private key.
    :raises ValueError: which variable's file cannot be used; nothing of its content.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"EVE_PROXY_GOVERNANCE_CA: {ca} holds no usable PEM certificate") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if cert is not None and key is not None:
        try:
            # A passphrase would be asked for on the terminal.
            context.load_cert_chain(cert, key, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"EVE_PROXY_GOVERNANCE_CERT, EVE_PROXY_GOVERNANCE_KEY: {cert} and {key} are no PEM certificate with "
                "its private key without a passphrase"
            ) from error
    return context


def _no_passphrase() -> str:
    raise ValueError("the private key has a passphrase")


class BlockingHttp:
    """The warm connections to one service. Any number of threads may ask at once.

    :param address: where it is; not ``embedded``.
    :param tls: from ``load_client_context``; None exactly where the address is not https.
    :param parent: the proxy to go through; TLS is spoken inside, with the service. Never with a Unix socket.
    """

    def __init__(
        self,
        address: GovernanceAddress,
        *,
        clock: IClock,
        tls: ssl.SSLContext | None,
        parent: BlockingParent | None = None,
    ) -> None:
        if (tls is None) is (address.kind is Kind.HTTPS):
            raise ValueError("TLS settings belong to an https address, and to no other")
        self._address = address
        self._authority = address.authority or _LOCAL
        self._clock = clock
        self._tls = tls
        self._parent = parent
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def call(self, path: str, headers: Headers, body: bytes, seconds: float) -> Answer:
        """POST ``body`` and give back status, headers and the whole answer.

        A connection that an idle peer has closed is retried once on a fresh one, in the same time.

        :param seconds: for all of it.
        :raises GovernorUnavailable: refused, reset, TLS not verified, cut off, or not within ``seconds``.
        :raises GovernorMisbehaved: not HTTP, or an answer of more than 1 MiB.
        """
        until = self._clock.monotonic() + seconds
        question = self._head(path, headers, len(body)) + body
        warm = self._take()
        if warm is not None:
            try:
                return self._ask(warm, question, until)
            except _Stale:
                pass  # asking twice does no harm
        try:
            return self._ask(self._connect(until), question, until)
        except _Stale as error:
            raise GovernorUnavailable(f"governance service: {error}") from error

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def forget(self) -> None:
        """In a forked child: the connections are the parent's; their descriptors are given back without a word."""
        self._lock = threading.Lock()
        for connection in self._idle:
            connection.close()
        self._idle = []

    def _head(self, path: str, headers: Headers, size: int) -> bytes:
        scheme = "https" if self._tls is not None else "http"
        lines = [
            b"POST %b HTTP/1.1" % path.encode("ascii"),
            b"Host: " + self._authority.host_header(scheme).encode("ascii"),
            *[b"%b: %b" % (name, value) for _, name, value in headers.fields],
            b"Content-Length: %d" % size,
        ]
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or " " in path:
            raise ValueError("a path or header that would break the request head")
        return head + b"\r\n\r\n"

    def _ask(self, connection: Connection, question: bytes, until: float) -> Answer:
        kept = False
        try:
            self._send(connection, question, until)
            answer, kept = self._receive(connection, until)
        except TimeoutError as error:
            raise GovernorUnavailable("governance service: no answer in time") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise _Stale("closed the connection") from error
        except ssl.SSLError as error:
            raise GovernorUnavailable(f"governance service: TLS: {error.reason or 'failed'}") from error
        except OSError as error:
            raise _Stale(said(error)) from error
        finally:
            if not kept:
                connection.close()
        if kept:
            self._keep(connection)
        return answer

    def _send(self, connection: Connection, question: bytes, until: float) -> None:
        rest = memoryview(question)
        while rest:
            connection.settimeout(self._left(until))
            rest = rest[connection.send(rest) :]

    def _receive(self, connection: Connection, until: float) -> tuple[Answer, bool]:
        """The answer, and whether the connection can be used again."""
        reader = ResponseReader("POST")
        head: ResponseHead | None = None
        pieces: list[bytes] = []
        size = 0
        anything = False
        while True:
            connection.settimeout(self._left(until))
            try:
                data = connection.recv(_PIECE)
            except OSError as error:
                if anything and not isinstance(error, TimeoutError | ssl.SSLError):
                    raise GovernorUnavailable(f"governance service: {said(error)}") from error
                raise
            if not data and not anything:
                raise _Stale("closed the connection without a response")
            anything = True
            try:
                events = reader.feed(data) if data else reader.eof()
            except UpstreamFailed as error:
                fault = GovernorMisbehaved if data else GovernorUnavailable
                raise fault(f"governance service: {error}") from error
            for event in events:
                if isinstance(event, ResponseHead):
                    head = event
                elif isinstance(event, Data):
                    pieces.append(event.data)
                    size += len(event.data)
                elif isinstance(event, End):
                    assert head is not None
                    kept = bool(data) and head.keep_alive and not head.connection_auth and not reader.surplus
                    return (head.status, head.headers, b"".join(pieces)), kept
            if size > _MOST:
                raise GovernorMisbehaved("governance service: an answer of more than 1 MiB")

    def _connect(self, until: float) -> Connection:
        left = partial(self._left, until)
        try:
            if self._address.socket_path is not None:
                return dial(socket.AF_UNIX, self._address.socket_path, left)
            if self._parent is None:
                connection = dial_first(self._authority, left)
            else:
                connection = self._parent.open(self._authority, left)
        except OSError as error:
            raise GovernorUnavailable(f"governance service: {said(error)}") from error
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return connection
            connection.settimeout(left())
            if not isinstance(connection, ssl.SSLSocket):
                return self._tls.wrap_socket(connection, server_hostname=self._authority.host)
            inner = InnerTls(connection, self._tls, self._authority.host, self._clock)
            inner.settimeout(left())
            inner.handshake()
            return inner
        except OSError as error:
            connection.close()
            raise GovernorUnavailable(f"governance service: {said(error)}") from error

    def _left(self, until: float) -> float:
        left = until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        return left

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        with suppress(OSError):
            connection.close()


class _Stale(Exception):
    """The connection ended before any byte of an answer: an idle peer closed it."""
