"""Where a redirected connection was going, and what it begins with. For real: tests/integration/test_transparent.py."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest

from eve_proxy.transport.redirected import NEITHER, SILENT, Arrival, original_destination
from eve_proxy.wire.client_hello import ClientHello, NotTls
from eve_proxy.wire.machine import Event
from tests.fakes.client_hello import client_hello


class Accepted:
    """An accepted socket that answers as the kernel would."""

    def __init__(self, family: int, peer: str, here: tuple[str, int], was: Any) -> None:
        self.family = family
        self._peer, self._here, self._was = peer, here, was
        self.asked: list[tuple[int, int, int]] = []

    def getpeername(self) -> Any:
        return (self._peer, 50000)

    def getsockname(self) -> Any:
        return self._here

    def getsockopt(self, *what: int) -> bytes:
        self.asked.append(what)
        if isinstance(self._was, OSError):
            raise self._was
        host, port = self._was
        if ":" in host:
            return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", port, 0, inet(host), 0)
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, inet(host))


def inet(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


V4, V6 = (socket.SOL_IP, 80, 16), (socket.IPPROTO_IPV6, 80, 28)


@pytest.mark.parametrize(
    ("family", "peer", "here", "was", "asked", "meant"),
    [
        (socket.AF_INET, "10.1.2.3", ("127.0.0.1", 15001), ("203.0.113.9", 443), V4, "203.0.113.9:443"),
        (socket.AF_INET6, "fd00::1", ("::1", 15001), ("2001:db8::9", 80), V6, "[2001:db8::9]:80"),
        # A dual-stack listener's IPv4 client.
        (socket.AF_INET6, "::ffff:10.1.2.3", ("::ffff:127.0.0.1", 15001), ("203.0.113.9", 80), V4, "203.0.113.9:80"),
        # The guide's rules lead to the proxy's own port: what counts is where the connection was going.
        (socket.AF_INET, "10.1.2.3", ("127.0.0.1", 3128), ("203.0.113.9", 3128), V4, "203.0.113.9:3128"),
    ],
)
def test_the_kernel_remembers_where_it_was_going(
    family: int, peer: str, here: tuple[str, int], was: Any, asked: Any, meant: str
) -> None:
    """Address and port of the client's own connect()."""
    connection = Accepted(family, peer, here, was)
    found = original_destination(connection)  # type: ignore[arg-type]
    assert str(found) == meant
    assert found is not None
    assert found.address is not None
    assert connection.asked == [asked]


@pytest.mark.parametrize(
    ("here", "was"),
    [
        (("127.0.0.1", 15001), ("127.0.0.1", 15001)),
        (("::ffff:127.0.0.1", 15001), ("127.0.0.1", 15001)),
        (("127.0.0.1", 15001), OSError(errno.ENOENT, "no entry")),
        (("127.0.0.1", 15001), OSError(errno.ENOPROTOOPT, "no connection tracking")),
    ],
)
def test_whoever_connects_to_us_was_not_redirected(here: tuple[str, int], was: Any) -> None:
    """The tracker shows our own listener for such a connection, or knows nothing of it."""
    family = socket.AF_INET6 if here[0].startswith("::") else socket.AF_INET
    assert original_destination(Accepted(family, "::ffff:10.0.0.1", here, was)) is None  # type: ignore[arg-type]


def test_a_client_that_has_left_already() -> None:
    """A reset between the handshake and our accept() is a lost connection, not a defect."""
    connection = Accepted(socket.AF_INET6, "::ffff:10.1.2.3", ("::1", 15001), ("203.0.113.9", 443))
    connection.getpeername = lambda: (_ for _ in ()).throw(OSError(errno.ENOTCONN, "gone"))  # type: ignore[method-assign]
    assert original_destination(connection) is None  # type: ignore[arg-type]


def test_a_unix_socket_is_not_redirected() -> None:
    """Nothing is asked about it."""
    connection = Accepted(socket.AF_UNIX, "", ("", 0), OSError())
    assert original_destination(connection) is None  # type: ignore[arg-type]
    assert connection.asked == []


class Client:
    """Hears what the connection begins with."""

    def __init__(self) -> None:
        self.fired: list[Event] = []
        self.heard: list[Any] = []
        self.machine = self
        self.arrival = Arrival(self)  # type: ignore[arg-type]

    def fire(self, event: Event) -> None:
        self.fired.append(event)

    def speaks_http(self, data: bytes) -> None:
        self.heard.append(("http", data))

    def speaks(self, seen: Any, held: bytes) -> None:
        self.heard.append((seen, held))

    def says(self, *pieces: bytes) -> Client:
        for piece in pieces:
            self.arrival.received(piece)
        return self


def each(data: bytes) -> list[bytes]:
    return [bytes([octet]) for octet in data]


REQUEST = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"


def test_http_is_handed_back_whole() -> None:
    """Not one byte of the request is lost, however it is cut."""
    assert Client().says(REQUEST).heard == [("http", REQUEST)]
    line, rest = REQUEST[:17], REQUEST[17:]
    cut = Client().says(*each(line))
    assert cut.heard == [("http", line)]
    assert cut.fired == [Event.HEAD_STARTED]
    assert rest  # what follows goes to the request reader


def test_a_client_hello_is_read_whole() -> None:
    """The name in it is what is judged; everything sent is held, for the upstream."""
    hello = client_hello("a.example")
    for pieces in ([hello], each(hello), [hello[:3], hello[3:]]):
        client = Client().says(*pieces)
        ((seen, held),) = client.heard
        assert isinstance(seen, ClientHello)
        assert (seen.sni, held) == ("a.example", hello)
        assert client.fired == [Event.HEAD_STARTED]


@pytest.mark.parametrize(
    "first",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"SSH-2.0-x\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n",
        b"a" * (16 * 1024 + 1),
    ],
)
def test_neither(first: bytes) -> None:
    """PostgreSQL, SSH, HTTP/2 without TLS, HTTP/0.9, a line without end: nothing of it is taken for a request."""
    client = Client().says(first, b"more")
    assert client.heard == [(NEITHER, first)]
    assert client.arrival.held == first + b"more"


def test_broken_tls_is_not_tls() -> None:
    """A first byte does not make a ClientHello."""
    ((seen, _),) = Client().says(b"\x16\x03\x01\x00\x00").heard
    assert isinstance(seen, NotTls)


def test_silence_is_said_once() -> None:
    """A client that stops in the middle gets one answer."""
    client = Client().says(b"GE")
    client.arrival.expired()
    client.arrival.input_ended()
    client.arrival.expired()
    assert client.heard == [(SILENT, b"GE")]
