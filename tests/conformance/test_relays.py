"""One suite for every relay, over real sockets on loopback: what a tunnel's two ends notice.

The far ends are plain blocking sockets in threads, so that nothing of what is tested is also what tests it.
"""

from __future__ import annotations

import hashlib
import random
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import protocol, task, threads
from twisted.internet import reactor as real_reactor  # noqa: TID251 (a running reactor is the point)
from twisted.internet.defer import Deferred

from eve_proxy.transport import relay as module
from eve_proxy.transport import splice
from eve_proxy.transport.pipes import PipeShelf
from eve_proxy.transport.relay import Ending, RelayReport, Side, relay
from eve_proxy.transport.relay_producer import ProducerRelay
from eve_proxy.transport.splice import SpliceRelay

reactor: Any = real_reactor
MIB = 1024 * 1024
Setup = Callable[..., Any]


class Joint:
    """A relay between two real connections, and the two far ends."""

    def __init__(self, client: socket.socket, origin: socket.socket, down: Any, up: Any) -> None:
        self.client, self.origin, self.down, self.up = client, origin, down, up
        self.clock = task.Clock()
        self.report: Deferred[RelayReport] = Deferred()
        self.relay: Any = None

    def start(self, *, to_upstream: bytes = b"", to_downstream: bytes = b"") -> None:
        self.relay = relay(
            self.down,
            self.up,
            to_upstream=to_upstream,
            to_downstream=to_downstream,
            idle_timeout=60.0,
            clock=self.clock,
            closed=self.report.callback,
        )

    def close(self) -> None:
        for end in (self.client, self.origin):
            end.close()
        for transport in (self.down, self.up):
            transport.abortConnection()


class Catch(protocol.Protocol):
    def __init__(self, made: Deferred[Any]) -> None:
        self.made = made

    def connectionMade(self) -> None:
        self.transport.pauseProducing()  # type: ignore[union-attr]
        self.made.callback(self.transport)


class CatchFactory(protocol.ClientFactory, protocol.ServerFactory):  # type: ignore[misc,type-arg]
    noisy = False

    def __init__(self) -> None:
        self.made: Deferred[Any] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        return Catch(self.made)


@pytest.fixture(params=["producer", "splice", "splice without pipes"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "producer":
        monkeypatch.setattr(module, "can_splice", lambda transport: False)
    shelf = PipeShelf(most=0 if request.param == "splice without pipes" else 64)
    monkeypatch.setattr(splice, "PIPES", shelf)
    yield request.param
    assert shelf.lent == 0, "a relay that ended still holds a pipe"
    shelf.close()


@pytest_twisted.async_yield_fixture
async def joint(kind: str) -> Any:
    """Two connections, small kernel buffers, not joined yet."""
    listening = CatchFactory()
    port = reactor.listenTCP(0, listening, interface="127.0.0.1")
    client = socket.create_connection(("127.0.0.1", port.getHost().port))
    down = await listening.made
    origin_port = socket.create_server(("127.0.0.1", 0))
    dialling = CatchFactory()
    reactor.connectTCP("127.0.0.1", origin_port.getsockname()[1], dialling)
    up = await dialling.made
    origin, _ = origin_port.accept()
    origin_port.close()
    for end in (client, origin, down.getHandle(), up.getHandle()):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 * 1024)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    for end in (client, origin):
        end.settimeout(20)
    made = Joint(client, origin, down, up)
    yield made
    made.close()
    await port.stopListening()
    await turn(0.01)


def turn(seconds: float = 0.0) -> Deferred[Any]:
    return task.deferLater(reactor, seconds, lambda: None)


def in_thread(work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    return threads.deferToThread(work, *arguments)


def read_all(end: socket.socket) -> bytes:
    pieces = []
    while piece := end.recv(256 * 1024):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(end: socket.socket, size: int) -> bytes:
    pieces = []
    while size:
        piece = end.recv(size)
        assert piece, "closed too early"
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def write_and_finish(end: socket.socket, data: bytes) -> None:
    """Send in pieces of every size, then half-close."""
    cuts, position = random.Random(len(data)), 0
    while position < len(data):
        size = cuts.choice((1, 100, 5_000, 70_000, 400_000))
        end.sendall(data[position : position + size])
        position += size
    end.shutdown(socket.SHUT_WR)


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest_twisted.ensureDeferred
async def test_random_data_both_ways(joint: Joint, kind: str) -> None:
    """Both ends send at once; each gets exactly the other's bytes, and the report counts them."""
    up, down = noise(3 * MIB + 17, 1), noise(5 * MIB + 3, 2)
    joint.start()
    assert isinstance(joint.relay, ProducerRelay if kind == "producer" else SpliceRelay)
    senders = [in_thread(write_and_finish, joint.client, up), in_thread(write_and_finish, joint.origin, down)]
    got_up, got_down = in_thread(read_all, joint.origin), in_thread(read_all, joint.client)
    for sender in senders:
        await sender
    assert digest(await got_up) == digest(up)
    assert digest(await got_down) == digest(down)
    report = await joint.report
    assert (report.to_upstream, report.to_downstream) == (len(up), len(down))
    assert report.ending is Ending.CLOSED


@pytest_twisted.ensureDeferred
async def test_what_was_read_before_goes_first(joint: Joint) -> None:
    """A ClientHello that came with the CONNECT, and the 200, keep their places."""
    joint.start(to_upstream=b"hello ", to_downstream=b"HTTP/1.1 200 OK\r\n\r\n")
    joint.client.sendall(b"world")
    joint.origin.sendall(b"answer")
    assert await in_thread(read_exactly, joint.origin, 11) == b"hello world"
    assert await in_thread(read_exactly, joint.client, 25) == b"HTTP/1.1 200 OK\r\n\r\nanswer"
    assert (joint.relay.to_upstream, joint.relay.to_downstream) == (11, 25)


@pytest_twisted.ensureDeferred
async def test_much_that_was_read_before(joint: Joint) -> None:
    """What waits before the relay may be more than the socket takes at once."""
    early, late = noise(2 * MIB, 3), noise(MIB, 4)
    joint.start(to_upstream=early)
    sender = in_thread(write_and_finish, joint.client, late)
    await turn(0.05)
    got = await in_thread(read_all, joint.origin)
    await sender
    assert digest(got) == digest(early + late)


@pytest_twisted.ensureDeferred
async def test_a_reader_that_stops_stops_the_writer(joint: Joint) -> None:
    """A client that does not read costs a bounded amount of memory, and loses nothing."""
    data = noise(24 * MIB, 5)
    joint.start()
    sender = in_thread(write_and_finish, joint.origin, data)
    before = -1
    while before != joint.relay.to_downstream:
        before = joint.relay.to_downstream
        await turn(0.1)
    assert 0 < before < 4 * MIB
    joint.clock.advance(59)
    got = await in_thread(read_all, joint.client)
    await sender
    assert digest(got) == digest(data)
    joint.client.close()
    assert (await joint.report).to_downstream == len(data)


@pytest.mark.parametrize("first", ["client", "origin"])
@pytest_twisted.ensureDeferred
async def test_half_close(joint: Joint, first: str) -> None:
    """One end says that it has finished; the other reads that, answers at length, and is heard to the end."""
    asking, answering = (joint.client, joint.origin) if first == "client" else (joint.origin, joint.client)
    joint.start()
    await in_thread(write_and_finish, asking, b"question")
    assert await in_thread(read_all, answering) == b"question"
    answer = noise(2 * MIB, 6)
    sender = in_thread(write_and_finish, answering, answer)
    assert digest(await in_thread(read_all, asking)) == digest(answer)
    await sender
    report = await joint.report
    assert report.ending is Ending.CLOSED
    assert report.ended_by is (Side.UPSTREAM if first == "client" else Side.DOWNSTREAM)
    assert {report.to_upstream, report.to_downstream} == {len(b"question"), len(answer)}


@pytest.mark.parametrize("first", ["client", "origin"])
@pytest_twisted.ensureDeferred
async def test_a_reset_is_passed_on(joint: Joint, first: str) -> None:
    """A connection that breaks on one side does not look complete on the other."""
    breaking, other = (joint.client, joint.origin) if first == "client" else (joint.origin, joint.client)
    joint.start()
    breaking.sendall(b"half of someth")
    assert await in_thread(read_exactly, other, 14) == b"half of someth"
    reset(breaking)
    with pytest.raises(ConnectionResetError):
        await in_thread(other.recv, 1)
    report = await joint.report
    assert report.ending is Ending.RESET
    assert report.ended_by is (Side.DOWNSTREAM if first == "client" else Side.UPSTREAM)


@pytest_twisted.ensureDeferred
async def test_a_reset_while_bytes_are_under_way(joint: Joint) -> None:
    """A client that dies in the middle of a download stops the download."""
    joint.start()
    sender = in_thread(write_and_finish, joint.origin, noise(24 * MIB, 7))
    await in_thread(read_exactly, joint.client, MIB)
    await turn(0.1)
    reset(joint.client)
    with pytest.raises(OSError):
        await sender
    assert (await joint.report).ending is Ending.RESET


@pytest_twisted.ensureDeferred
async def test_idle(joint: Joint) -> None:
    """A tunnel in which nothing moves is closed after its time; a byte each way keeps it open."""
    joint.start()
    joint.clock.advance(59)
    joint.client.sendall(b"x")
    assert await in_thread(read_exactly, joint.origin, 1) == b"x"
    joint.clock.advance(59)
    assert not joint.report.called
    joint.clock.advance(1)
    report = await joint.report
    assert (report.ending, report.ended_by, report.seconds) == (Ending.IDLE, Side.PROXY, 119.0)
    for end in (joint.client, joint.origin):
        with pytest.raises(ConnectionResetError):
            await in_thread(end.recv, 1)


@pytest_twisted.ensureDeferred
async def test_idle_after_both_ended(joint: Joint) -> None:
    """A client that never reads the last bytes is not waited for without end."""
    joint.start()
    # More than the kernel takes for a client that does not read, less than would hold up the origin.
    await in_thread(write_and_finish, joint.origin, noise(640_000, 8))
    joint.client.shutdown(socket.SHUT_WR)
    assert await in_thread(read_all, joint.origin) == b""
    await turn(0.1)
    assert not joint.report.called
    joint.clock.advance(60)
    assert (await joint.report).ending is Ending.IDLE


@pytest_twisted.ensureDeferred
async def test_abort(joint: Joint) -> None:
    """Stopping the daemon resets its tunnels."""
    joint.start()
    joint.relay.abort()
    assert (await joint.report).ending is Ending.ABORTED
    for end in (joint.client, joint.origin):
        with pytest.raises(ConnectionResetError):
            await in_thread(end.recv, 1)


@pytest.mark.parametrize("which", ["down", "up"])
@pytest_twisted.ensureDeferred
async def test_an_owner_that_aborts_its_transport(joint: Joint, which: str) -> None:
    """Whoever still holds one of the transports may reset it; the relay follows."""
    joint.start()
    getattr(joint, which).abortConnection()
    joint.client.sendall(b"x")
    assert (await joint.report).ending is Ending.ABORTED
    for end in (joint.client, joint.origin):
        with pytest.raises(ConnectionResetError):
            await in_thread(end.recv, 1)


@pytest_twisted.ensureDeferred
async def test_a_side_that_was_lost_before(joint: Joint) -> None:
    """A tunnel whose client went away in the meantime ends at once."""
    joint.down.abortConnection()
    await turn()
    joint.start(to_downstream=b"HTTP/1.1 200 OK\r\n\r\n")
    await joint.report
    with pytest.raises(ConnectionResetError):
        await in_thread(joint.origin.recv, 1)


@pytest_twisted.ensureDeferred
async def test_small_messages_back_and_forth(joint: Joint) -> None:
    """An interactive protocol is not delayed by the relay's buffers."""
    joint.start()

    def ping_pong() -> None:
        for number in range(300):
            message = b"%06d" % number
            joint.client.sendall(message)
            assert read_exactly(joint.origin, 6) == message
            joint.origin.sendall(message[::-1])
            assert read_exactly(joint.client, 6) == message[::-1]

    started = reactor.seconds()
    await in_thread(ping_pong)
    assert reactor.seconds() - started < 5
    assert (joint.relay.to_upstream, joint.relay.to_downstream) == (1800, 1800)
