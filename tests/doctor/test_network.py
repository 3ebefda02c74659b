"""The network as a process sees it, on sockets that do what the test says; real ones: integration/test_doctor.py."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

import pytest

from eve_proxy.doctor import network
from eve_proxy.doctor.network import How, SocketNetwork


class Script:
    """What the next sockets do.

    :ivar pieces: what ``recv`` gives, in turn; an exception is raised.
    """

    def __init__(self) -> None:
        self.on_open: OSError | None = None
        self.on_connect: dict[str, OSError] = {}
        self.on_send: OSError | None = None
        self.pieces: list[bytes | OSError] = []
        self.families: list[int] = []
        self.sent = b""
        self.timeouts: list[float] = []
        self.closed = 0


class FakeSocket:
    def __init__(self, script: Script, family: int) -> None:
        if script.on_open is not None:
            raise script.on_open
        script.families.append(family)
        self._script = script

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._script.closed += 1

    def settimeout(self, seconds: float) -> None:
        self._script.timeouts.append(seconds)

    def connect(self, where: tuple[str, int]) -> None:
        if where[0] in self._script.on_connect:
            raise self._script.on_connect[where[0]]

    def send(self, data: bytes) -> None:
        if self._script.on_send is not None:
            raise self._script.on_send
        self._script.sent += data

    sendall = send

    def recv(self, size: int) -> bytes:
        piece = self._script.pieces.pop(0) if self._script.pieces else b""
        if isinstance(piece, OSError):
            raise piece
        return piece


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(network.socket, "socket", lambda family, _: FakeSocket(made, family))
    found = {"two.example": ["192.0.2.1", "192.0.2.2", "192.0.2.2"]}

    def getaddrinfo(name: str, *_: Any, **__: Any) -> list[Any]:
        if name.endswith("nowhere.example"):
            raise socket.gaierror
        return [(0, 0, 0, "", (address, 0)) for address in found.get(name, [name])]

    monkeypatch.setattr(network.socket, "getaddrinfo", getaddrinfo)
    return made


def real(timeout: float = 10.0) -> SocketNetwork:
    return SocketNetwork(timeout, Time())


def whole(data: bytes) -> bool:
    return data.endswith(b".")


def test_an_answer_in_pieces(script: Script) -> None:
    """Read until it is enough; what comes later is not waited for."""
    script.pieces = [b"hel", b"lo.", b"more"]
    heard = real().stream("192.0.2.1", 80, b"ask", whole)
    assert (heard.how, heard.data, script.sent, script.closed) == (How.ANSWERED, b"hello.", b"ask", 1)
    assert script.families == [socket.AF_INET]


@pytest.mark.parametrize("end", [b"", ConnectionResetError(), TimeoutError()])
@pytest.mark.parametrize("pieces", [[], [b"half"]])
def test_an_answer_that_breaks_off(script: Script, end: bytes | OSError, pieces: list[bytes | OSError]) -> None:
    """Closed, reset or late: a connection was made, and what came so far counts."""
    script.pieces = [*pieces, end]
    heard = real().stream("2001:db8::1", 80, b"ask", whole)
    assert heard.how is (How.ANSWERED if pieces else How.CONNECTED)
    assert heard.reached
    assert script.families == [socket.AF_INET6]


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (ConnectionRefusedError(), How.REFUSED),
        (PermissionError(errno.EPERM, "x"), How.REFUSED),
        (OSError(errno.ENETUNREACH, "x"), How.UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "x"), How.UNREACHABLE),
        (TimeoutError(), How.SILENT),
    ],
)
def test_no_connection(script: Script, error: OSError, how: How) -> None:
    """A refusal, no route and silence are three things, by TCP and by UDP."""
    script.on_connect["192.0.2.1"] = error
    heard = real().stream("192.0.2.1", 80, b"ask", whole)
    assert (heard.how, heard.reached) == (how, False)
    script.on_connect.clear()
    script.on_send = error
    assert real().datagram("192.0.2.1", 443, b"ask").how is how
    script.on_send, script.pieces = None, [error]
    assert real().datagram("192.0.2.1", 443, b"ask").how is how


def test_a_datagram_that_is_answered(script: Script) -> None:
    """Its content is given."""
    script.pieces = [b"pong"]
    heard = real().datagram("192.0.2.1", 443, b"ping")
    assert (heard.how, heard.data, script.sent) == (How.ANSWERED, b"pong", b"ping")


def test_a_kernel_without_ipv6(script: Script) -> None:
    """Nothing can leave that way."""
    script.on_open = OSError(errno.EAFNOSUPPORT, "x")
    assert real().stream("2001:db8::1", 80, b"", whole).how is How.UNREACHABLE
    assert real().datagram("2001:db8::1", 443, b"").how is How.UNREACHABLE


def test_names(script: Script) -> None:
    """Each address once, in turn until one takes the connection; a name that leads nowhere is said."""
    assert real().lookup("two.example") == ("192.0.2.1", "192.0.2.2")
    script.on_connect["192.0.2.1"] = ConnectionRefusedError()
    script.pieces = [b"."]
    assert real().stream("two.example", 80, b"", whole).how is How.ANSWERED
    assert real().stream("nowhere.example", 80, b"", whole).how is How.NO_NAME


def test_a_resolver_that_hangs(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left behind after the timeout."""
    never = threading.Event()
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *_, **__: never.wait() and [])
    assert real(0.01).lookup("slow.example") == ()
    never.set()


def test_all_waits_together_are_bounded(script: Script) -> None:
    """Whoever drips a byte a second does not hold the doctor."""
    script.pieces = [b"x"] * 100 + [TimeoutError()]
    real().stream("192.0.2.1", 80, b"", whole)
    assert script.timeouts == sorted(script.timeouts, reverse=True)
    assert script.timeouts[0] <= 10
    assert min(script.timeouts) == pytest.approx(0.001)


def test_an_endless_answer(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off."""
    monkeypatch.setattr(network, "MOST", 5)
    script.pieces = [b"xxx"] * 10
    assert real().stream("192.0.2.1", 80, b"", whole).data == b"xxxxxx"
