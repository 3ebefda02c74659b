"""Sockets with so much time: the first address that answers, and TLS inside of TLS over a socket pair."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from eve_proxy.governance import blocking_dial
from eve_proxy.governance.blocking_dial import InnerTls, dial, dial_first
from eve_proxy.model.authority import parse_authority
from eve_proxy.system import SystemClock

CA = trustme.CA()
THERE = parse_authority("governor.example:443", None)


def entries(*addresses: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)) for address in addresses]


def test_the_first_address_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead address costs an attempt, not the call; each attempt gets the time that is left by then."""
    tried: list[str] = []

    def one(_family: int, address: Any, left: Callable[[], float]) -> str:
        tried.append(address[0])
        left()
        if address[0] != "192.0.2.2":
            raise ConnectionRefusedError(111, "Connection refused")
        return "connected"

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    monkeypatch.setattr(blocking_dial, "dial", one)
    assert dial_first(THERE, lambda: 1.0) == "connected"  # type: ignore[comparison-overlap]
    assert tried == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("addresses", [(), ("192.0.2.1",)])
def test_none_that_answers(monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]) -> None:
    """The last failure is told."""

    def refused(*_: Any) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries(*addresses))
    monkeypatch.setattr(blocking_dial, "dial", refused)
    with pytest.raises(OSError, match="refused" if addresses else "no address"):
        dial_first(THERE, lambda: 1.0)


def test_no_time_is_left() -> None:
    """Nothing is looked up any more."""

    def left() -> float:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        dial_first(THERE, left)


def test_a_socket_that_is_not_there(tmp_path: Any) -> None:
    """It is closed again."""
    with pytest.raises(FileNotFoundError):
        dial(socket.AF_UNIX, str(tmp_path / "none"), lambda: 1.0)


def server_context(*names: str, ca: trustme.CA = CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


@pytest.fixture
def inner() -> Iterator[Callable[..., InnerTls]]:
    """Connects TLS inside of TLS to ``serve``, which is given the inner TLS and the outer socket, in a thread."""
    opened: list[Any] = []

    def connect(serve: Callable[[ssl.SSLObject, Callable[..., Any]], object], ca: trustme.CA = CA) -> InnerTls:
        near, far = socket.socketpair()
        opened.extend((near, far))

        def run() -> None:
            try:
                outer = server_context("proxy.example").wrap_socket(far, server_side=True)
                opened.append(outer)
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = server_context("governor.example", ca=ca).wrap_bio(incoming, outgoing, server_side=True)

                def drive(step: Callable[..., Any], *arguments: Any) -> Any:
                    while True:
                        try:
                            result = step(*arguments)
                        except ssl.SSLWantReadError:
                            outer.sendall(outgoing.read())
                            data = outer.recv(65536)
                            if not data:
                                raise EOFError from None
                            incoming.write(data)
                            continue
                        outer.sendall(outgoing.read())
                        return result

                drive(tls.do_handshake)
                serve(tls, drive)
                outer.close()
            except (OSError, EOFError):
                far.close()

        threading.Thread(target=run, daemon=True).start()
        outer = client_context().wrap_socket(near, server_hostname="proxy.example")
        opened.append(outer)
        made = InnerTls(outer, client_context(), "governor.example", SystemClock())
        made.settimeout(10)
        return made

    yield connect
    for each in opened:
        each.close()


def test_inside(inner: Callable[..., InnerTls]) -> None:
    """What is sent arrives, however large, and an answer comes back whole."""
    sizes: list[int] = []

    def serve(tls: ssl.SSLObject, drive: Callable[..., Any]) -> None:
        got = b""
        while len(got) < 300_000:
            got += drive(tls.read, 65536)
        sizes.append(len(got))
        drive(tls.write, b"y" * 100_000)

    connection = inner(serve)
    connection.handshake()
    data = memoryview(b"x" * 300_000)
    while data:
        data = data[connection.send(data) :]
    answer = b""
    while len(answer) < 100_000:
        answer += connection.recv(65536)
    assert answer == b"y" * 100_000
    assert sizes == [300_000]
    connection.close()


def test_an_impostor(inner: Callable[..., InnerTls]) -> None:
    """The proxy is verified, and the service inside all the same."""
    with pytest.raises(ssl.SSLCertVerificationError):
        inner(lambda *_: None, ca=trustme.CA()).handshake()


def test_silence(inner: Callable[..., InnerTls]) -> None:
    """A call has its time as a whole."""
    wait = threading.Event()
    connection = inner(lambda *_: wait.wait(20))
    connection.handshake()
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(100)
    wait.set()


def test_the_end(inner: Callable[..., InnerTls]) -> None:
    """An orderly end of TLS is an end of data; a connection cut off is an error."""
    closing = inner(lambda tls, drive: _unwrap(tls, drive))
    closing.handshake()
    assert closing.recv(100) == b""
    cut = inner(lambda *_: None)
    cut.handshake()
    with pytest.raises(ssl.SSLEOFError):
        cut.recv(100)


def _unwrap(tls: ssl.SSLObject, drive: Callable[..., Any]) -> None:
    drive(tls.unwrap)
