"""Reading an upstream's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.errors import Malformed, UpstreamFailed
from eve_proxy.wire.events import Data, End, Informational, ResponseEvent, ResponseHead
from eve_proxy.wire.response_reader import ResponseReader

CORPUS = Path(__file__).parents[1] / "corpus"
FAULTY = [raw for path in sorted((CORPUS / "responses").glob("*.http")) if len(raw := path.read_bytes()) < 4000]

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nChecksum: x\r\n\r\n"
CLOSE = OK + b"\r\nhello"
SWITCH = b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
SOUND = [LENGTH, CHUNKED, CLOSE, HINTS + HINTS + LENGTH, OK + b"Content-Length: 0\r\n\r\n", HINTS + SWITCH]


def kinds(events: Sequence[ResponseEvent]) -> list[type]:
    return [type(event) for event in events]


def body(events: Sequence[ResponseEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Data))


def outcome(pieces: Sequence[bytes], *, websocket: bool = False) -> tuple[list[ResponseEvent], bytes, bool, bool]:
    """Events but ``Data``, body, surplus, and whether it failed."""
    reader, events, failed = ResponseReader("GET", websocket=websocket), [], False
    try:
        for piece in pieces:
            events += reader.feed(piece)
        events += reader.eof()
    except UpstreamFailed:
        failed = True
    return [event for event in events if not isinstance(event, Data)], body(events), reader.surplus, failed


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED])
def test_complete_responses(raw: bytes) -> None:
    """Head, body and end; nothing is left to say when the upstream closes later."""
    reader = ResponseReader("GET")
    events = reader.feed(raw)
    assert kinds(events) == [ResponseHead, Data, End]
    assert body(events) == b"hello"
    assert not reader.surplus
    assert reader.eof() == []


def test_trailers_are_given() -> None:
    """The caller decides whether its client wants them."""
    *_, end = ResponseReader("GET").feed(CHUNKED)
    assert isinstance(end, End)
    assert list(end.trailers) == [(b"checksum", b"x")]


def test_close_delimited() -> None:
    """The end of the connection is the end of the body."""
    reader = ResponseReader("GET")
    assert kinds(reader.feed(CLOSE)) == [ResponseHead, Data]
    assert kinds(reader.eof()) == [End]
    assert reader.eof() == []


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 2", OK, LENGTH[:-1], LENGTH[:-5], CHUNKED[:-2], HINTS])
def test_cut_short(raw: bytes) -> None:
    """A response that broke off is never taken for complete."""
    reader = ResponseReader("GET")
    reader.feed(raw)
    with pytest.raises(UpstreamFailed, match="closed"):
        reader.eof()
    with pytest.raises(UpstreamFailed):
        reader.feed(b"x")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_no_body(status: bytes) -> None:
    """204 and 304 end with their head."""
    assert kinds(ResponseReader("GET").feed(b"HTTP/1.1 " + status + b"\r\n\r\n")) == [ResponseHead, End]


def test_head_has_no_body() -> None:
    """The length of a HEAD response is not waited for."""
    reader = ResponseReader("HEAD")
    assert kinds(reader.feed(OK + b"Content-Length: 5\r\n\r\n")) == [ResponseHead, End]
    assert not reader.surplus


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, OK + b"Content-Length: 0\r\n\r\n"])
def test_surplus_bytes(raw: bytes) -> None:
    """Bytes that nobody asked for mark the connection as not to be used again, and are not relayed."""
    for pieces in ((raw + b"x",), (raw, b"x")):
        reader = ResponseReader("GET")
        events = [event for piece in pieces for event in reader.feed(piece)]
        assert kinds(events)[-1] is End
        assert body(events) in (b"hello", b"")
        assert reader.surplus


def test_informational_responses() -> None:
    """1xx are relayed before the final response; an endless series is a failure."""
    assert kinds(ResponseReader("GET").feed(HINTS + HINTS + LENGTH)) == [
        Informational,
        Informational,
        ResponseHead,
        Data,
        End,
    ]
    reader = ResponseReader("GET")
    reader.feed(HINTS * 16)
    with pytest.raises(UpstreamFailed, match="1xx"):
        reader.feed(HINTS)


def test_upgrade() -> None:
    """After a matching 101 the bytes are the tunnel's."""
    reader = ResponseReader("GET", websocket=True)
    assert kinds(reader.feed(HINTS + SWITCH + b"\x81")) == [Informational, ResponseHead]
    assert reader.feed(b"\x05") == []
    assert reader.take_rest() == b"\x81\x05"
    assert not reader.surplus


def test_upgrade_refused_by_the_upstream() -> None:
    """An ordinary answer to a handshake is an ordinary answer."""
    reader = ResponseReader("GET", websocket=True)
    assert kinds(reader.feed(LENGTH)) == [ResponseHead, Data, End]
    with pytest.raises(RuntimeError):
        reader.take_rest()


def test_failures_name_the_fault_and_repeat_no_content() -> None:
    """What an upstream sent does not come back in our 502."""
    with pytest.raises(UpstreamFailed) as caught:
        ResponseReader("GET").feed(b"HTTP/1.1 hunter2 OK\r\n\r\n")
    assert "hunter2" not in str(caught.value)
    assert isinstance(caught.value.__cause__, Malformed)
    assert caught.value.__cause__.fault == "status-code"


def test_dead_after_a_failure() -> None:
    """Nothing after unacceptable bytes is taken for a response."""
    reader = ResponseReader("GET")
    for raw in (b"\n", LENGTH):
        with pytest.raises(UpstreamFailed):
            reader.feed(raw)


@given(st.data())
def test_split_anywhere(data: st.DataObject) -> None:
    """However the network cuts it, the response is the same."""
    raw = data.draw(st.sampled_from(SOUND + FAULTY))
    places = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=6)))
    pieces = [raw[start:stop] for start, stop in pairwise([0, *places, len(raw)])]
    whole, split = outcome([raw], websocket=True), outcome(pieces, websocket=True)
    assert whole[3] == split[3]
    if not whole[3]:
        assert whole == split


@given(st.data())
def test_nothing_but_upstream_failed_is_raised(data: st.DataObject) -> None:
    """No bytes of an upstream end in a traceback."""
    raw = data.draw(st.sampled_from(SOUND + FAULTY))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(raw)))
        raw = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :]
    outcome([raw])
    outcome([OK + b"Transfer-Encoding: chunked\r\n\r\n" + raw])
