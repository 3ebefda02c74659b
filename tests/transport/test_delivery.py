"""Upstream's answer on its way to the client: conversations through the real connection and serialisers."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.wire.events import END, Data, End, Informational, ResponseHead
from eve_proxy.wire.machine import State
from eve_proxy.wire.response_reader import ResponseReader
from tests.integration.sidecar import head_of
from tests.transport.bench import Bench, is_whole

GET = b"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n"
UPGRADE = (
    b"GET http://a.example/ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)


@pytest.fixture(autouse=True, params=["in one call", "in parts"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a response that is there at once is told: an upstream connection does the former."""
    if request.param == "in parts":
        monkeypatch.setitem(globals(), "is_whole", lambda events: False)


def begun(request: bytes = GET) -> Bench:
    bench = Bench()
    bench.receive(request)
    bench.forward()
    return bench


def upstream(bench: Bench, *pieces: bytes, eof: bool = False) -> None:
    """Feed raw upstream bytes through the real response reader, as the upstream connection does."""
    receiver = bench.dialler.receivers[-1]
    method = bench.site.begun[-1].request.method
    reader = ResponseReader(method)
    for piece in pieces:
        events = reader.feed(piece)
        if is_whole(events):
            receiver.responseWhole(events[0], b"".join([event.data for event in events[1:-1]]))
        else:
            play(receiver, events)
            receiver.flush()
    if eof:
        play(receiver, reader.eof())


def play(receiver: Any, events: list[Any]) -> None:
    for event in events:
        if isinstance(event, Data):
            receiver.responseData(event.data)
        elif isinstance(event, ResponseHead):
            receiver.responseStarted(event)
        elif isinstance(event, End):
            receiver.responseEnded(event.trailers)
        elif isinstance(event, Informational):
            receiver.informational(event.head)


def test_response_is_stamped_and_the_connection_goes_on() -> None:
    """The client gets upstream's body with our certificate, in one write, and may ask again."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Mine: 1\r\n\r\nhello")
    status, fields, body = head_of(bench.written)
    assert (status, body) == (200, b"hello")
    assert fields["x-eve-decision-cert"] == "{}"
    assert fields["x-mine"] == "1"
    assert bench.client.machine.state is State.IDLE
    assert bench.outcome.heard == [200]
    assert bench.outcome.ends == [("complete", "upstream", 5, None)]
    assert bench.transport.producer is None


def test_chunked_is_chunked_anew() -> None:
    """Chunk extensions of the upstream do not survive; the body does."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n")
    assert bench.written.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert b"x=y" not in bench.written
    assert bench.client.machine.state is State.IDLE


def test_trailers_reach_a_client_that_asked_for_them() -> None:
    """`TE: trailers` keeps them."""
    bench = begun(GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\nConnection: TE\r\n\r\n"))
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGrpc-Status: 0\r\n\r\n")
    assert bench.written.lower().endswith(b"0\r\ngrpc-status: 0\r\n\r\n")


def test_first_event_arrives_before_the_stream_ends() -> None:
    """Server-sent events are not held back."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8\r\ndata: 1\n\r\n")
    assert bench.written.endswith(b"8\r\ndata: 1\n\r\n")
    assert bench.client.machine.state is State.RELAYING


def test_slow_client_slows_upstream() -> None:
    """A response that goes on is bound to the client's pace."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    assert bench.transport.producer is bench.dialler.handles[0]
    assert bench.transport.streaming is True


def test_close_delimited_becomes_chunked_for_http_1_1() -> None:
    """The end of an old server's body is explicit for the client."""
    bench = begun()
    upstream(bench, b"HTTP/1.0 200 OK\r\n\r\nhello", eof=True)
    assert bench.written.endswith(b"5\r\nhello\r\n0\r\n\r\n")
    assert bench.client.machine.state is State.IDLE


def test_http_1_0_client_gets_no_chunks() -> None:
    """An HTTP/1.0 client gets the body and the end of the connection."""
    bench = begun(b"GET http://a.example/x HTTP/1.0\r\n\r\n")
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert bench.written.endswith(b"\r\n\r\nhello")
    assert b"chunked" not in bench.written
    assert bench.transport.events == ["half-close"]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_bodiless_statuses(status: bytes) -> None:
    """204 and 304 end with their head."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n")
    assert bench.written.endswith(b"\r\n\r\n")
    assert bench.client.machine.state is State.IDLE


def test_head_repeats_the_length() -> None:
    """HEAD tells the length of the body that does not follow."""
    bench = begun(GET.replace(b"GET", b"HEAD"))
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    _, fields, body = head_of(bench.written)
    assert (fields["content-length"], body) == ("12345", b"")
    assert bench.client.machine.state is State.IDLE


def test_early_hints_are_relayed_and_continue_is_not() -> None:
    """1xx responses pass, but 100 is ours to give."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert bench.written.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n")


def test_http_1_0_client_sees_no_interim_response() -> None:
    """1xx does not exist in HTTP/1.0."""
    bench = begun(b"GET http://a.example/x HTTP/1.0\r\n\r\n")
    upstream(bench, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert bench.written == b""


def test_failure_before_the_answer_is_a_502() -> None:
    """An upstream that cannot be reached is told in words."""
    bench = begun()
    bench.dialler.receivers[0].responseFailed(UpstreamFailed("connection refused"), False)
    assert bench.written == b"upstream error: connection refused"
    assert bench.outcome.heard == ["connection refused"]
    assert bench.transport.events == ["half-close"]


def test_failure_in_the_middle_does_not_look_complete() -> None:
    """A response cut short is reset, never ended in good order."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    bench.dialler.receivers[0].responseFailed(UpstreamFailed("lost"), True)
    assert not bench.written.endswith(b"0\r\n\r\n")
    assert bench.transport.events == ["abort"]


def test_stalled_client_is_given_up() -> None:
    """A client that reads nothing for a quarter of an hour loses its connection, and upstream is told."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    bench.clock.advance(900)
    assert bench.transport.events == ["abort"]


@pytest.mark.parametrize(
    ("accept", "opened"), [(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", True), (b"x3pPLMBiTxaQ9kYGzzhZRbK+xOo=", False)]
)
def test_only_a_matching_101_opens_a_websocket(accept: bytes, opened: bool) -> None:
    """A 101 that does not answer the client's key is a 502 and no tunnel."""
    bench = begun(UPGRADE)
    reader = ResponseReader("GET", websocket=True)
    (head,) = reader.feed(SWITCH % accept)
    end = UpstreamEnd()
    bench.dialler.receivers[0].upgraded(head, end, b"")
    if opened:
        assert bench.client.machine.state is State.TUNNEL
        assert bench.written.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"X-EVE-Decision-Cert: {}\r\n" in bench.written
        assert bench.outcome.heard == [101]
    else:
        assert end.aborted
        assert bench.written.startswith(b"upstream error:")


def test_a_websocket_opens_after_early_hints() -> None:
    """An interim response before the 101 does not stand in the relay's way."""
    bench = begun(UPGRADE)
    reader = ResponseReader("GET", websocket=True)
    receiver = bench.dialler.receivers[0]
    play(receiver, reader.feed(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
    receiver.flush()
    (head,) = reader.feed(SWITCH % b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    receiver.upgraded(head, UpstreamEnd(), b"")
    assert bench.client.machine.state is State.TUNNEL
    assert b"HTTP/1.1 101 Switching Protocols\r\n" in bench.written


def test_two_exchanges_on_one_connection() -> None:
    """Keep-alive carries the next request to its own decision and its own upstream exchange."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
    bench.receive(GET.replace(b"/x", b"/y"))
    bench.forward()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")
    assert bench.written.count(b"HTTP/1.1 200 OK") == 2
    assert len(bench.dialler.sent) == 2


class UpstreamEnd(StringTransport):
    """The origin's side of an upgraded connection."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True

    def loseWriteConnection(self) -> None:
        pass


def test_nothing_is_written_to_a_client_that_left() -> None:
    """Events that are already under way are dropped."""
    bench = begun()
    bench.client.connectionLost()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
    assert bench.written == b""


def test_chunks_stay_chunks_for_a_client_that_knows_them() -> None:
    """A body of a length that upstream did not tell arrives whole, and its end is marked."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    _, fields, body = head_of(bench.written)
    assert (fields["transfer-encoding"], body) == ("chunked", b"5\r\nhello\r\n0\r\n\r\n")
    assert bench.client.machine.state is State.IDLE


def test_early_hints_come_before_the_response_and_hold_nothing_up() -> None:
    """A 103 is written when it comes; when the response is written, nobody has a hand on the client's pace any more."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    hints, response = bench.written.split(b"\r\n\r\n")[:2]
    assert hints.startswith(b"HTTP/1.1 103 ")
    assert response.startswith(b"HTTP/1.1 204 ")
    assert bench.transport.producer is None
    assert bench.client.machine.state is State.IDLE


def test_what_became_of_it_is_told_once_and_last() -> None:
    """The bytes that count are the content's, without framing; nothing is told before the client has it all."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5;x=y\r\nhello\r\n")
    assert bench.outcome.ends == []
    play(bench.dialler.receivers[-1], [Data(data=b" world"), END])
    assert bench.written.endswith(b"0\r\n\r\n")
    assert bench.outcome.ends == [("complete", "upstream", 11, None)]


def test_a_response_that_broke_off_was_not_complete() -> None:
    """The outcome says who broke it off, and how much had come by then."""
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"hello")
    bench.dialler.receivers[-1].responseFailed(UpstreamFailed("reset"), started=True)
    assert bench.outcome.ends == [("failed", "upstream", 5, None)]
    bench = begun()
    upstream(bench, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"he")
    bench.client.connectionLost()
    assert bench.outcome.ends == [("abandoned", "downstream", 2, None)]


def test_before_there_is_an_answer_the_end_is_the_failure_itself() -> None:
    """A 502 and a client that left early are told as such, and not a second time."""
    bench = begun()
    bench.dialler.receivers[-1].responseFailed(UpstreamFailed("refused"), started=False)
    assert (bench.outcome.heard, bench.outcome.ends) == (["refused"], [])
    bench = begun()
    bench.client.connectionLost()
    assert (len(bench.outcome.heard), bench.outcome.ends) == (1, [])


def test_a_websocket_is_counted_from_its_first_frame() -> None:
    """The 101 is ours and does not count; what came with it does."""
    bench = begun(UPGRADE)
    end = UpstreamEnd()
    reader = ResponseReader("GET", websocket=True)
    switch = SWITCH % b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    (head,) = reader.feed(switch + b"frames")
    bench.dialler.receivers[-1].upgraded(head, end, reader.take_rest())
    assert bench.written.endswith(b"\r\n\r\nframes")
    assert bench.outcome.ends == []
    for transport in (bench.transport, end):
        transport.protocol.connectionLost(Failure(ConnectionDone()))
    assert bench.outcome.ends == [("closed", "downstream", 6, 0)]
