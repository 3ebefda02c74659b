"""Sending at once, and the states in which that would change what Twisted does."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport
from zope.interface import implementer

from eve_proxy.transport.sending import (
    backed_up,
    is_plain,
    send,
    send_gathered,
    send_soon,
    set_nodelay,
    still_open,
    unsent,
    when_drained,
)


class FakeSocket:
    """Takes ``room`` bytes, then blocks."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.sent = b""
        self.peek: bytes | Exception = BlockingIOError()
        self.broken = False
        self.options: list[tuple[int, int, object]] = []

    def setblocking(self, flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return 99

    def send(self, data: bytes) -> int:
        if self.broken:
            raise ConnectionResetError
        taken = bytes(data[: self.room])
        if not taken and data:
            raise BlockingIOError
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def sendmsg(self, pieces: list[bytes]) -> int:
        return self.send(b"".join(pieces))

    def recv(self, size: int, flags: int) -> bytes:
        if isinstance(self.peek, Exception):
            raise self.peek
        return self.peek

    def shutdown(self, how: int) -> None:
        self.sent += b"."

    def setsockopt(self, level: int, name: int, value: object) -> None:
        self.options.append((level, name, value))


@implementer(IPushProducer, IPullProducer)
class Producer:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def connection(skt: FakeSocket) -> Connection:
    made = Connection(skt, Protocol(), MemoryReactor())  # type: ignore[arg-type]
    made.connected = 1
    return made


class GatheringReactor(MemoryReactor):
    """As the lean reactor in the middle of a busy turn."""

    def __init__(self) -> None:
        super().__init__()
        self.gathers = True
        self.outbox: dict[Connection, None] = {}

    def end_turn(self) -> None:
        outbox, self.outbox = self.outbox, {}
        for conn in outbox:
            send_gathered(conn)


def gathering(skt: FakeSocket) -> tuple[Connection, GatheringReactor]:
    conn, reactor = connection(skt), GatheringReactor()
    conn.reactor = reactor
    return conn, reactor


def queued(conn: Connection) -> bytes:
    return conn.dataBuffer[conn.offset :] + b"".join(conn._tempDataBuffer)


def test_sends_at_once() -> None:
    """An answer leaves without another turn of the reactor."""
    skt = FakeSocket()
    conn = connection(skt)
    send(conn, b"hello")
    assert skt.sent == b"hello"
    assert queued(conn) == b""
    assert conn not in conn.reactor.getWriters()


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("room", [0, 3, 7, 64_000])
def test_what_the_kernel_does_not_take_is_queued_in_order(size: int, room: int) -> None:
    """A full send buffer never loses, repeats or reorders a byte."""
    skt = FakeSocket(room)
    conn = connection(skt)
    pieces = [bytes([65 + n]) * (size // 4) for n in range(4)]
    send(conn, pieces)
    whole = b"".join(pieces)
    taken = min(room, len(whole))
    assert (skt.sent, queued(conn)) == (whole[:taken], whole[taken:])
    assert (conn in conn.reactor.getWriters()) == (taken < len(whole))


def test_a_queue_is_not_overtaken() -> None:
    """Bytes written before come first, even when the socket has room again."""
    skt = FakeSocket(2)
    conn = connection(skt)
    send(conn, b"first")
    skt.room = 1000
    send(conn, b"second")
    assert skt.sent + queued(conn) == b"firstsecond"
    conn.doWrite()
    assert skt.sent == b"firstsecond"
    send(conn, b"third")
    assert skt.sent == b"firstsecondthird"


def test_a_partly_written_queue_is_not_overtaken() -> None:
    """The same while the reactor is in the middle of writing the queue."""
    skt = FakeSocket(0)
    conn = connection(skt)
    conn.write(b"x" * 1000)
    skt.room = 10
    conn.doWrite()
    skt.room = 10_000
    send(conn, b"END")
    assert skt.sent + queued(conn) == b"x" * 1000 + b"END"


def test_a_pull_producer_is_still_asked_for_more() -> None:
    """A body that is fed piece by piece does not stop because a piece left at once."""
    skt = FakeSocket()
    conn = connection(skt)
    producer = Producer()
    conn.registerProducer(producer, False)
    producer.calls.clear()
    send(conn, b"piece")
    assert conn in conn.reactor.getWriters()
    conn.doWrite()
    assert producer.calls == ["resume"]


def test_a_push_producer_is_paused_by_what_is_left() -> None:
    """A client that does not read stops the upstream from being read."""
    conn = connection(FakeSocket(10))
    producer = Producer()
    conn.registerProducer(producer, True)
    send(conn, b"x" * 200_000)
    assert producer.calls == ["pause"]


@pytest.mark.parametrize("close", ["loseConnection", "loseWriteConnection"])
def test_a_close_that_is_under_way_stays_the_reactors(close: str) -> None:
    """Data sent after a close was asked for takes the path Twisted defines for it."""
    skt = FakeSocket()
    conn = connection(skt)
    getattr(conn, close)()
    send(conn, b"late")
    assert skt.sent == b""
    assert queued(conn) == b"late"


def test_a_broken_socket_is_left_to_the_reactor() -> None:
    """A reset shows up as connectionLost, not as an exception in whoever was writing."""
    skt = FakeSocket()
    skt.broken = True
    conn = connection(skt)
    send(conn, b"data")
    assert conn in conn.reactor.getWriters()


def test_tls_gets_plain_writes() -> None:
    """Nothing bypasses a TLS layer."""
    skt = FakeSocket()
    conn = connection(skt)
    written: list[bytes] = []
    conn.TLS = True
    conn.protocol.write = written.append  # type: ignore[attr-defined]
    send(conn, [b"a", b"b"])
    assert (skt.sent, written) == (b"", [b"ab"])
    assert not is_plain(conn)


def test_any_other_transport_is_written_to() -> None:
    """Whatever Twisted offers as a transport works."""
    transport = StringTransport()
    send(transport, b"a")
    send(transport, [b"b", b"c"])
    send(transport, [b"x" * 70_000, b"y"])
    assert transport.value() == b"abc" + b"x" * 70_000 + b"y"
    set_nodelay(transport)


def test_a_closed_connection_swallows() -> None:
    """A write after the end is no error and reaches nobody."""
    skt = FakeSocket()
    conn = connection(skt)
    conn.connected = 0
    send(conn, b"late")
    assert (skt.sent, queued(conn)) == (b"", b"")


def test_nodelay() -> None:
    """Small answers are not held back by Nagle's algorithm."""
    skt = FakeSocket()
    set_nodelay(connection(skt))
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, True) in skt.options


def test_still_open() -> None:
    """An idle connection that the peer closed, reset or wrote to is not used again."""
    skt = FakeSocket()
    conn = connection(skt)
    assert still_open(conn)
    for peek in (b"", b"x", ConnectionResetError()):
        skt.peek = peek
        assert not still_open(conn)
    assert still_open(StringTransport())


def test_when_drained_waits_for_the_last_byte() -> None:
    """Whoever waits for a slow reader goes on when all is sent, once, and may half-close then."""
    skt = FakeSocket(3)
    conn = connection(skt)
    assert not unsent(conn)
    send(conn, b"hello")
    assert unsent(conn)
    heard: list[bytes] = []
    when_drained(conn, lambda: heard.append(skt.sent))
    skt.room = 1
    conn.doWrite()
    assert (heard, unsent(conn)) == ([], True)
    skt.room = 100
    conn.doWrite()
    assert heard == [b"hello"]
    assert conn.producer is None
    assert not unsent(conn)


def test_when_drained_is_silent_about_a_lost_connection() -> None:
    """A client that went away is not waited for any more."""
    conn = connection(FakeSocket(0))
    send(conn, b"hello")
    heard: list[str] = []
    when_drained(conn, lambda: heard.append("drained"))
    conn.producer.stopProducing()
    assert heard == []


def test_a_turns_messages_leave_when_it_ends() -> None:
    """A busy turn's answers go out back to back, without another turn of the reactor."""
    skt = FakeSocket()
    conn, reactor = gathering(skt)
    send_soon(conn, b"answer")
    assert (skt.sent, unsent(conn), backed_up(conn)) == (b"", True, False)
    reactor.end_turn()
    assert (skt.sent, unsent(conn), backed_up(conn)) == (b"answer", False, False)
    assert conn not in reactor.getWriters()


@pytest.mark.parametrize("room", [0, 3, 100])
def test_what_is_written_behind_a_gathered_message_stays_behind_it(room: int) -> None:
    """A second answer, from wherever in the same turn, never overtakes the first, and none is lost or repeated."""
    skt = FakeSocket(room)
    conn, reactor = gathering(skt)
    send_soon(conn, b"first,")
    send(conn, b"second,")
    send_soon(conn, b"third,")
    conn.write(b"fourth")
    reactor.end_turn()
    assert skt.sent + queued(conn) == b"first,second,third,fourth"
    skt.room = 100
    conn.doWrite()
    assert skt.sent == b"first,second,third,fourth"


def test_a_client_that_does_not_read_is_backed_up() -> None:
    """It gets no further answers once the kernel has refused one."""
    conn, reactor = gathering(FakeSocket(3))
    send_soon(conn, b"answer")
    reactor.end_turn()
    assert backed_up(conn)
    send_soon(conn, b"another")
    assert backed_up(conn)
    assert not reactor.outbox


@pytest.mark.parametrize("close", ["loseConnection", "loseWriteConnection"])
def test_a_close_comes_behind_a_gathered_message(close: str) -> None:
    """A connection that is closed in the same turn still delivers its answer first."""
    skt = FakeSocket()
    conn, reactor = gathering(skt)
    send_soon(conn, b"answer")
    getattr(conn, close)()
    reactor.end_turn()
    assert conn in reactor.getWriters()
    conn.doWrite()
    assert skt.sent == (b"answer" if close == "loseConnection" else b"answer.")


def test_an_aborted_connection_sends_nothing_more() -> None:
    """A reset means that nothing more is said, and leaves nothing behind in the reactor."""
    skt = FakeSocket()
    conn, reactor = gathering(skt)
    reactor.callLater = lambda *arguments: None  # type: ignore[attr-defined]
    send_soon(conn, b"answer")
    conn.abortConnection()
    reactor.end_turn()
    assert skt.sent == b""
    assert conn not in reactor.getWriters()


def test_a_lost_connection_is_no_fault() -> None:
    """A client that went away within the turn does not disturb the others' answers."""
    gone, reactor = gathering(FakeSocket())
    skt = FakeSocket()
    other = connection(skt)
    other.reactor = reactor
    send_soon(gone, b"answer")
    send_soon(other, b"answer")
    gone.connected = 0
    reactor.end_turn()
    assert skt.sent == b"answer"


def test_a_pull_producer_waits_behind_a_gathered_message() -> None:
    """Whoever waits for a queue to drain is told also when the queue was the turn's."""
    skt = FakeSocket()
    conn, reactor = gathering(skt)
    send_soon(conn, b"answer")
    heard: list[bytes] = []
    when_drained(conn, lambda: heard.append(skt.sent))
    reactor.end_turn()
    conn.doWrite()
    assert heard == [b"answer"]


def test_elsewhere_soon_is_now() -> None:
    """On the stock reactor, behind TLS and on any other transport nothing is held back."""
    skt = FakeSocket()
    conn = connection(skt)
    send_soon(conn, b"now")
    assert (skt.sent, backed_up(conn)) == (b"now", False)
    transport = StringTransport()
    send_soon(transport, b"now")
    assert transport.value() == b"now"
    assert not backed_up(transport)
    secure, reactor = gathering(FakeSocket())
    secure.TLS = True
    written: list[bytes] = []
    secure.protocol.write = written.append  # type: ignore[attr-defined]
    send_soon(secure, b"now")
    assert (written, reactor.outbox) == ([b"now"], {})
