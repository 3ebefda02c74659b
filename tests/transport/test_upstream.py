"""HTTP/1.1 as a client: what a receiver is told, whatever the origin does."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport import upstream
from eve_proxy.transport.upstream import Unanswered, Unintelligible, UpstreamConnection
from eve_proxy.wire.events import END, Data
from eve_proxy.wire.response_reader import ResponseReader
from tests.transport.bench import InParts

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Recorder(InParts):
    """A receiver that writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.body = b""
        self.flushes = 0
        self.wholes = 0
        self.on_data: Any = None

    def informational(self, head: Any) -> None:
        self.told.append(("informational", head.status))

    def responseStarted(self, head: Any) -> None:
        self.told.append(("started", head.status))

    def responseWhole(self, head: Any, data: bytes) -> None:
        self.wholes += 1
        super().responseWhole(head, data)

    def responseData(self, data: bytes) -> None:
        self.body += data
        if self.on_data is not None:
            self.on_data()

    def responseEnded(self, trailers: Any) -> None:
        self.told.append(("ended",))

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        self.told.append(("failed", type(error), str(error), started))

    def upgraded(self, head: Any, transport: Any, rest: bytes) -> None:
        self.told.append(("upgraded", transport, rest))

    def flush(self) -> None:
        self.flushes += 1


class Transport(StringTransport):
    """Knows when it was aborted and whether it is read."""

    aborting = False

    def abortConnection(self) -> None:
        self.aborting = True

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"


class Case:
    """A connection with everything around it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls: list[str] = []
        self.connection = UpstreamConnection(
            None,
            None,
            clock=self.clock,
            timeout=30.0,
            stall=100.0,
            made=lambda _: self.calls.append("made"),
            released=lambda _: self.calls.append("released"),
            lost=lambda _: self.calls.append("lost"),
        )
        self.transport = Transport()
        self.connection.makeConnection(self.transport)
        self.receiver = Recorder()

    def send(
        self, *, method: str = "GET", head: bytes = HEAD, body: tuple[bytes, ...] = (), websocket: bool = False
    ) -> Recorder:
        self.receiver = Recorder()
        self.connection.send(head, body, method=method, websocket=websocket, receiver=self.receiver)
        return self.receiver

    def receive(self, data: bytes) -> None:
        self.connection.dataReceived(data)

    def lose(self, *, clean: bool = True) -> None:
        self.connection.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))


@pytest.fixture
def case() -> Case:
    return Case()


def test_one_exchange_after_another(case: Case) -> None:
    """A kept-alive connection serves request after request, each answer to its own receiver."""
    first = case.send()
    assert case.transport.value() == HEAD
    case.receive(OK)
    assert first.told == [("started", 200), ("ended",)]
    assert first.body == b"hello"
    assert case.calls == ["made", "released"]
    second = case.send()
    case.receive(OK)
    assert second.told == first.told
    assert case.calls == ["made", "released", "released"]
    assert (first.wholes, first.flushes) == (second.wholes, second.flushes) == (1, 0)


def test_the_connection_is_free_before_a_whole_answer_is_looked_at(case: Case) -> None:
    """Whoever asks again inside the call gets this connection, and nothing of the old exchange reaches the new one."""
    second = Recorder()

    class Eager(Recorder):
        def responseWhole(self, head: Any, data: bytes) -> None:
            super().responseWhole(head, data)
            case.connection.send(HEAD, (), method="GET", receiver=second)

    case.connection.send(HEAD, (), method="GET", receiver=Eager())
    case.receive(OK)
    assert case.calls == ["made", "released"]
    assert second.told == []
    case.receive(OK)
    assert second.told == [("started", 200), ("ended",)]
    case.clock.advance(1000)
    assert len(second.told) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n",
        OK[:-1],
    ],
)
def test_only_a_whole_answer_without_trailers_is_told_in_one_call(case: Case, data: bytes) -> None:
    """Early hints and trailers are not lost, and a part is not taken for the whole."""
    receiver = case.send()
    case.receive(data)
    assert receiver.wholes == 0
    assert ("started", 200) in receiver.told


def test_head_and_body_leave_in_one_write(case: Case) -> None:
    """A small request is one packet."""
    writes: list[bytes] = []
    case.transport.write = writes.append  # type: ignore[method-assign]
    case.send(method="POST", body=(b"one", b"two"))
    assert writes == [HEAD + b"onetwo"]


@given(st.lists(st.integers(0, len(OK) - 1), max_size=6))
def test_split_anywhere(cuts: list[int]) -> None:
    """How the network cuts a response changes nothing."""
    case = Case()
    receiver = case.send()
    edges = [0, *sorted(cuts), len(OK)]
    for start, end in pairwise(edges):
        if start != end:
            case.receive(OK[start:end])
    assert receiver.told == [("started", 200), ("ended",)]
    assert receiver.body == b"hello"


def test_one_flush_for_a_batch(case: Case) -> None:
    """What came in one read can leave in one write."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel")
    assert receiver.flushes == 1
    case.receive(b"lo")
    assert receiver.flushes == 2
    case.receive(b"!!!!")
    assert receiver.told[-1] == ("ended",)
    assert receiver.flushes == 2


def test_interim_responses(case: Case) -> None:
    """103 Early Hints reaches the client before the answer."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    case.receive(OK)
    assert receiver.told == [("informational", 103), ("started", 200), ("ended",)]


def test_close_delimited(case: Case) -> None:
    """An old origin that ends its body by closing is understood, and the connection is not used again."""
    receiver = case.send()
    case.receive(b"HTTP/1.0 200 OK\r\n\r\nhel")
    case.receive(b"lo")
    assert receiver.told == [("started", 200)]
    case.lose()
    assert receiver.told == [("started", 200), ("ended",)]
    assert receiver.body == b"hello"
    assert case.calls == ["made", "lost"]


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
def test_a_reset_is_never_an_end(case: Case, head: bytes) -> None:
    """A response that the network cut off never looks complete."""
    receiver = case.send()
    case.receive(head + b"half")
    case.lose(clean=False)
    assert receiver.told[1:] == [
        ("failed", UpstreamFailed, "the connection was lost in the middle of the response", True)
    ]


def test_a_close_inside_a_body_is_a_failure(case: Case) -> None:
    """A body shorter than announced is reported, never passed off as whole."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    case.lose()
    assert receiver.told[0] == ("started", 200)
    assert receiver.told[1][0] == "failed"
    assert receiver.told[1][3] is True


def test_a_close_before_an_answer(case: Case) -> None:
    """The dialler can tell a dead idle connection from a broken answer."""
    receiver = case.send()
    case.lose()
    assert receiver.told == [("failed", Unanswered, "the connection was closed before an answer", False)]


def test_a_close_inside_the_head(case: Case) -> None:
    """One byte of an answer is enough to make a second attempt wrong."""
    receiver = case.send()
    case.receive(b"H")
    case.lose()
    assert receiver.told[0][1] is UpstreamFailed


def test_not_http(case: Case) -> None:
    """An origin that speaks something else is reported and the connection reset."""
    receiver = case.send()
    case.receive(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    assert receiver.told[0][:2] == ("failed", Unintelligible)
    assert case.transport.aborting


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM abc\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 smuggled",
    ],
)
def test_not_shared_after(case: Case, answer: bytes) -> None:
    """Closing, connection authentication and unasked bytes end a connection: the next client gets a clean one."""
    receiver = case.send()
    case.receive(answer)
    assert receiver.told[-1] == ("ended",)
    assert case.transport.aborting
    assert "released" not in case.calls


@pytest.mark.parametrize("scheme", [b"NTLM", b"ntlm", b"Negotiate", b"NEGOTIATE"])
def test_not_shared_after_connection_authentication(case: Case, scheme: bytes) -> None:
    """A login that holds for a connection is never lent to another client."""
    case.send(head=b"GET / HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: " + scheme + b" TlRM\r\n\r\n")
    case.receive(OK)
    assert case.transport.aborting
    assert "released" not in case.calls


def test_other_authentication_is_shared(case: Case) -> None:
    """A bearer token belongs to its request: the connection lives on."""
    case.send(head=b"GET /negotiate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer nnn\r\nX: ntlm\r\n\r\n")
    case.receive(OK)
    assert "released" in case.calls


def test_unasked_bytes_on_an_idle_connection(case: Case) -> None:
    """What an origin sends ahead is never taken for the next request's answer."""
    case.send()
    case.receive(OK)
    case.receive(OK)
    assert case.transport.aborting


def test_websocket(case: Case) -> None:
    """After a matching 101 the socket and what came with it go to the relay, paused."""
    receiver = case.send(websocket=True)
    case.receive(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi")
    assert receiver.told == [("upgraded", case.transport, b"\x81\x02hi")]
    assert not case.transport.reading
    assert not case.transport.aborting
    assert case.calls == ["made", "lost"]
    assert case.clock.getDelayedCalls() == []


def test_a_101_that_nobody_asked_for(case: Case) -> None:
    """An origin cannot turn a plain request into a tunnel."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    assert receiver.told[0][:2] == ("failed", Unintelligible)


def test_times_out_without_an_answer(case: Case) -> None:
    """A silent origin is given up after EVE_PROXY_UPSTREAM_TIMEOUT, not before."""
    receiver = case.send()
    case.clock.advance(29.9)
    assert receiver.told == []
    case.clock.advance(0.1)
    assert receiver.told == [("failed", UpstreamFailed, "timed out after 30 s", False)]
    assert case.transport.aborting


def test_dripping_a_head_does_not_help(case: Case) -> None:
    """One byte of a head now and then does not hold a request for ever."""
    receiver = case.send()
    for byte in (b"H", b"T", b"T"):
        case.clock.advance(9)
        case.receive(byte)
    case.clock.advance(3)
    assert receiver.told == [("failed", UpstreamFailed, "timed out after 30 s", False)]


def test_the_second_request_has_its_whole_time(case: Case) -> None:
    """A timer left over from the request before neither hurries nor spares the next."""
    case.send()
    case.clock.advance(20)
    case.receive(OK)
    case.clock.advance(5)
    receiver = case.send()
    case.clock.advance(29.9)
    assert receiver.told == []
    case.clock.advance(0.2)
    assert receiver.told[0][0] == "failed"


def test_stalls(case: Case) -> None:
    """A response that stops in the middle is given up; one that trickles is not."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    for _ in range(3):
        case.clock.advance(99)
        case.receive(b"x")
    assert receiver.told == [("started", 200)]
    case.clock.advance(100)
    assert receiver.told[-1] == ("failed", UpstreamFailed, "the response stalled for 100 s", True)


def test_back_pressure(case: Case) -> None:
    """A client that does not read stops the origin from being read, for as long as it likes."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    case.connection.pause()
    assert not case.transport.reading
    case.clock.advance(1000)
    case.connection.resume()
    assert case.transport.reading
    assert receiver.told == [("started", 200)]
    case.clock.advance(100)
    assert receiver.told[-1][0] == "failed"


def test_a_paused_connection_is_read_again_when_idle(case: Case) -> None:
    """The end of an idle connection is noticed even if its last client was slow."""
    case.send()
    case.connection.pause()
    case.receive(OK)
    assert case.transport.reading
    assert "released" in case.calls


def test_abort(case: Case) -> None:
    """When the client goes away upstream is stopped and nobody is told anything more."""
    receiver = case.send()
    case.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    case.connection.abort()
    assert case.transport.aborting
    case.lose(clean=False)
    assert receiver.told == [("started", 200)]
    assert case.calls == ["made", "lost"]


def test_abort_inside_a_call(case: Case) -> None:
    """A receiver that gives up in the middle of a batch hears nothing of the rest of it."""
    receiver = case.send()
    receiver.on_data = case.connection.abort
    case.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\nA: trailer\r\n\r\n")
    assert receiver.told == [("started", 200)]
    assert receiver.body == b"he"
    assert receiver.flushes == 0


def test_large_body_and_an_early_answer(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """An origin may refuse an upload half way: its answer arrives, the rest is not sent, nothing is reused."""
    monkeypatch.setattr(upstream, "is_plain", lambda transport: True)
    receiver = case.send(method="POST", body=(b"x" * 1_000_000,))
    assert case.transport.value() == HEAD
    case.transport.producer.resumeProducing()
    case.receive(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert receiver.told == [("started", 413), ("ended",)]
    assert case.transport.producer is None
    assert case.transport.aborting
    assert len(case.transport.value()) < 300_000


def test_a_slow_upload_is_progress(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for an answer begins when the request is out: a large upload on a slow line is not cut off."""
    monkeypatch.setattr(upstream, "is_plain", lambda transport: True)
    receiver = case.send(method="POST", body=(b"x" * 1_000_000,))
    while case.transport.producer is not None:
        case.transport.producer.resumeProducing()
        case.clock.advance(29)
    assert case.transport.value() == HEAD + b"x" * 1_000_000
    assert receiver.told == []
    case.receive(OK)
    assert receiver.told[-1] == ("ended",)
    assert "released" in case.calls


def test_an_idle_connection_that_closes(case: Case) -> None:
    """Nobody is told of the end of a connection that serves nobody, but its pool."""
    receiver = case.send()
    case.receive(OK)
    told = list(receiver.told)
    case.lose()
    assert receiver.told == told
    assert case.calls[-1] == "lost"
    assert case.clock.getDelayedCalls() == []


def test_interrupt_and_close(case: Case) -> None:
    """Shutting down tells who still waits why, and closes what is idle in an orderly way."""
    receiver = case.send()
    case.connection.interrupt(UpstreamFailed("stopping"))
    assert receiver.told == [("failed", UpstreamFailed, "stopping", False)]
    other = Case()
    other.connection.close()
    assert other.transport.disconnecting
    assert not other.transport.aborting


def test_an_answer_before_the_request_has_left_ends_the_connection(case: Case) -> None:
    """What is still queued of one request is never followed by the next: an origin may read it as a request."""
    receiver = case.send(method="POST", body=(b"x" * 10,))
    case.transport.dataBuffer = b"xxx"  # type: ignore[attr-defined]
    case.receive(OK)
    assert receiver.told[-1] == ("ended",)
    assert case.transport.aborting
    assert "released" not in case.calls


def test_no_piece_of_a_whole_answer_is_dropped(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that tells a body in several pieces is passed on piece by piece."""
    receiver = case.send()
    (head,) = ResponseReader("GET").feed(OK[:-5])
    monkeypatch.setattr(ResponseReader, "feed", lambda self, data: [head, Data(b"he"), Data(b"llo"), END])
    case.receive(b"...")
    assert receiver.body == b"hello"
    assert (receiver.wholes, receiver.told) == (0, [("started", 200), ("ended",)])
