"""The dialler over real sockets: reuse, retry, large uploads, early answers, loops.

The origins are plain sockets in threads: nothing of what is tested is also what tests it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import protocol, task
from twisted.internet import reactor as real_reactor  # noqa: TID251 (a running reactor is the point)
from twisted.internet.defer import Deferred

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.decision import Mode, Permit, Ticket
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.dialler import Dialler
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.pool import Pool
from tests.transport.bench import InParts

reactor: Any = real_reactor
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Receiver(InParts):
    """Fires with ``(status, body)``, or fails."""

    def __init__(self) -> None:
        self.result: Deferred[tuple[int, bytes]] = Deferred()
        self.status = 0
        self.body = b""

    def informational(self, head: Any) -> None:
        pass

    def responseStarted(self, head: Any) -> None:
        self.status = head.status

    def responseData(self, data: bytes) -> None:
        self.body += data

    def responseEnded(self, trailers: Any) -> None:
        self.result.callback((self.status, self.body))

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        self.result.errback(error)

    def upgraded(self, head: Any, transport: Any, rest: bytes) -> None:
        transport.abortConnection()

    def flush(self) -> None:
        pass


class Origin:
    """Runs ``serve(connection)`` for each connection, in a thread."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.connections = 0
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection: socket.socket) -> None:
        # The dialler resets what is still open at the end.
        with connection, contextlib.suppress(OSError):
            self.serve(connection)


def head_of(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


@pytest_twisted.async_yield_fixture
async def dialler() -> Any:
    made = Dialler(reactor=reactor, pool=Pool(), clock=reactor, timeout=5.0, ends=OwnEnds(set()))
    yield made
    made.close()
    await task.deferLater(reactor, 0.02, lambda: None)


def permit(port: int, *addresses: str, mode: Mode = Mode.FORWARD) -> Permit:
    return Permit(
        authority=parse_authority(f"origin.example:{port}", None),
        addresses=tuple(map(ip_address, addresses or ("127.0.0.1",))),
        mode=mode,
        certificate_id="cert_0",
        ticket=Ticket(),
    )


def ask(dialler: Dialler, port: int, method: str = "GET", body: tuple[bytes, ...] = ()) -> Deferred[tuple[int, bytes]]:
    receiver = Receiver()
    head = f"{method} / HTTP/1.1\r\nHost: o\r\nContent-Length: {sum(map(len, body))}\r\n\r\n".encode()
    dialler.exchange(permit(port), head, body, method=method, receiver=receiver)
    return receiver.result


@pytest_twisted.ensureDeferred
async def test_reuse(dialler: Dialler) -> None:
    """Ten requests in a row share one connection."""

    def serve(connection: socket.socket) -> None:
        while head_of(connection)[0]:
            connection.sendall(OK)

    origin = Origin(serve)
    assert [await ask(dialler, origin.port) for _ in range(10)] == [(200, b"ok")] * 10
    assert origin.connections == 1


@pytest_twisted.ensureDeferred
async def test_an_origin_that_closes_idle_connections(dialler: Dialler) -> None:
    """A keep-alive timeout at the origin never shows, with GET in the race and POST after it."""
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    origin = Origin(serve)
    assert await ask(dialler, origin.port) == (200, b"ok")
    closed.wait(5)
    assert await ask(dialler, origin.port) == (200, b"ok")
    await task.deferLater(reactor, 0.05, lambda: None)
    assert await ask(dialler, origin.port, "POST", (b"x",)) == (200, b"ok")
    assert origin.connections == 3


@pytest_twisted.ensureDeferred
async def test_a_large_upload(dialler: Dialler) -> None:
    """10 MiB in chunks of any size arrive whole."""
    pieces = tuple(bytes([n % 256]) * (1 + n * 3001) for n in range(90))
    size = sum(map(len, pieces))
    got = bytearray()

    def serve(connection: socket.socket) -> None:
        got.extend(head_of(connection)[1])
        while len(got) < size:
            got.extend(connection.recv(65536))
        connection.sendall(OK)

    origin = Origin(serve)
    assert size > 10 * 1024 * 1024
    assert await ask(dialler, origin.port, "POST", pieces) == (200, b"ok")
    assert bytes(got) == b"".join(pieces)


@pytest_twisted.ensureDeferred
async def test_an_upload_that_is_refused_half_way(dialler: Dialler) -> None:
    """An origin that answers 413 at once and stops reading is heard."""

    def serve(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        connection.recv(1)
        threading.Event().wait(0.3)

    assert await ask(dialler, Origin(serve).port, "PUT", (b"x" * 10_000_000,)) == (413, b"big")


@pytest_twisted.ensureDeferred
async def test_a_response_that_is_cut_off(dialler: Dialler) -> None:
    """A body that ends too early is a failure."""

    def serve(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200_000)

    with pytest.raises(UpstreamFailed):
        await ask(dialler, Origin(serve).port)


@pytest_twisted.ensureDeferred
async def test_the_next_address(dialler: Dialler) -> None:
    """A refusing first address costs no failure."""

    def serve(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(OK)

    origin = Origin(serve)
    receiver = Receiver()
    dialler.exchange(
        permit(origin.port, "::1", "127.0.0.9", "127.0.0.1"),
        b"GET / HTTP/1.1\r\n\r\n",
        (),
        method="GET",
        receiver=receiver,
    )
    assert await receiver.result == (200, b"ok")


@pytest_twisted.ensureDeferred
async def test_refused(dialler: Dialler) -> None:
    """The text that the client reads."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(UpstreamFailed, match=r"^connection refused$"):
        await ask(dialler, port)
    with pytest.raises(UpstreamFailed, match=r"^connection refused$"):
        await dialler.tunnel(permit(port, mode=Mode.TUNNEL), bytes)


@pytest_twisted.ensureDeferred
async def test_a_loop() -> None:
    """The proxy's own port is not served as an upstream, and the listener knows the caller."""
    seen: list[bool] = []

    class Listener(protocol.Protocol):
        def connectionMade(self) -> None:
            peer, here = self.transport.getPeer(), self.transport.getHost()  # type: ignore[union-attr]
            ends = (peer.host, peer.port), (here.host, here.port)
            # The dialler may learn of the connection a moment later than we do.
            reactor.callLater(0, lambda: seen.append(dialler.is_own(*ends)))

    factory = protocol.ServerFactory.forProtocol(Listener)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    number = port.getHost().port
    dialler = Dialler(reactor=reactor, pool=Pool(), clock=reactor, timeout=5.0, ends=OwnEnds({number}))
    with pytest.raises(UpstreamFailed, match="this proxy itself"):
        await ask(dialler, number)
    other = Dialler(reactor=reactor, pool=Pool(), clock=reactor, timeout=5.0, ends=OwnEnds(()))
    dialler = other
    transport = await other.tunnel(permit(number, mode=Mode.TUNNEL), bytes)
    await task.deferLater(reactor, 0.05, lambda: None)
    assert seen[-1] is True
    transport.abortConnection()  # type: ignore[attr-defined]
    await port.stopListening()
    await task.deferLater(reactor, 0.02, lambda: None)
    assert not other._ends
