"""Reading a client's bytes: one request at a time, split anywhere, strictly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import Data, End, RequestEvent, RequestHead
from eve_proxy.wire.grammar import TEXT
from eve_proxy.wire.request_reader import RequestReader
from eve_proxy.wire.serialize import request_head

US = Authority(host="127.0.0.1", port=3128)
CORPUS = Path(__file__).parents[1] / "corpus"
VALID = [path.read_bytes() for path in sorted((CORPUS / "valid").glob("*.http"))]
# The largest ones only test bounds, and would make mutations slow.
FAULTY = [raw for path in sorted((CORPUS / "requests").glob("*.http")) if len(raw := path.read_bytes()) < 4000]

GET = b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello"
CONNECT = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
CHUNKED = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"

FRAGMENTS = (
    *[bytes([byte]) for byte in b"\r\n\0 \t:,;#@/*05\x0b\x80"],
    *(b"\r\n\r\n", b"\r\n ", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"0\r\n\r\n"),
    *(b"Connection: upgrade, a\r\n", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"Max-Forwards: 1\r\n"),
    *(b"http://", b"https://", b"CONNECT ", b"OPTIONS ", b"HTTP/1.0", b"HTTP/1.1", b"[::1]", "。".encode()),
)


def reader() -> RequestReader:
    return RequestReader(default_authority=US)


def merged(events: Sequence[RequestEvent]) -> list[RequestEvent]:
    """``events`` with neighbouring ``Data`` made one."""
    result: list[RequestEvent] = []
    for event in events:
        if isinstance(event, Data) and result and isinstance(result[-1], Data):
            result[-1] = Data(result[-1].data + event.data)
        else:
            result.append(event)
    return result


def conversation(pieces: Sequence[bytes]) -> tuple[list[RequestEvent], bytes, str | None]:
    """Everything that can be read, what is left for a tunnel, and the fault that ended it."""
    machine, events, last = reader(), [], None
    try:
        for piece in pieces:
            fresh = machine.feed(piece)
            while fresh:
                events += fresh
                last = next((event for event in fresh if isinstance(event, RequestHead)), last)
                done = isinstance(fresh[-1], End) and last is not None and last.keep_alive
                fresh = machine.next_message() if done else []
    except Malformed as fault:
        return merged(events), b"", fault.fault
    rest = machine.take_rest() if last is not None and not last.keep_alive and isinstance(events[-1], End) else b""
    return merged(events), rest, None


@st.composite
def cut(draw: st.DrawFn, raw: bytes) -> list[bytes]:
    places = draw(st.lists(st.integers(1, max(1, len(raw) - 1)), max_size=6, unique=True))
    return [raw[start:stop] for start, stop in pairwise([0, *sorted(places), len(raw)])]


@st.composite
def mutated(draw: st.DrawFn, samples: list[bytes]) -> bytes:
    raw = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(raw)))
        drop = draw(st.sampled_from([0, 0, 1, 2, 7]))
        raw = raw[:at] + draw(st.sampled_from((b"", *FRAGMENTS))) + raw[at + drop :]
    return raw


# -- what callers rely on ------------------------------------------------------------------------------------------


def test_whole_message_in_one_piece() -> None:
    """The usual case: head, body and end at once."""
    machine = reader()
    assert not machine.started
    assert [type(event) for event in machine.feed(POST)] == [RequestHead, Data, End]
    assert machine.buffered == 0
    assert not machine.started


def test_started_and_buffered() -> None:
    """The head timeout runs from the first byte of a head until it is complete."""
    machine = reader()
    machine.feed(GET[:9])
    assert machine.started
    assert machine.buffered == 9
    machine.feed(GET[9:])
    assert not machine.started


def test_body_is_not_held_back() -> None:
    """What arrived of a body is given on at once and not kept."""
    machine = reader()
    machine.feed(POST[:-5])
    assert machine.feed(b"he") == [Data(b"he")]
    assert machine.buffered == 0
    assert [type(event) for event in machine.feed(b"llo")] == [Data, End]


def test_pipelined_requests_wait_for_their_turn() -> None:
    """Requests are decided one at a time, in order."""
    machine = reader()
    assert len(machine.feed(POST + GET + GET[:4])) == 3
    assert machine.buffered == len(GET) + 4
    assert len(machine.next_message()) == 2
    assert machine.next_message() == []
    assert machine.started


def test_a_malformed_second_request_is_found_in_its_turn() -> None:
    """A pipelined fault does not take the answer of the request before it away."""
    machine = reader()
    assert len(machine.feed(GET + b"GET / HTTP/9.9\r\n\r\n")) == 2
    with pytest.raises(Malformed):
        machine.next_message()


def test_dead_after_a_fault() -> None:
    """Nothing after unacceptable bytes is read any more, however sound it looks."""
    machine = reader()
    for raw in (b"\n", GET):
        with pytest.raises(Malformed, match="first byte"):
            machine.feed(raw)
    with pytest.raises(RuntimeError):
        machine.next_message()


def test_bytes_after_connect_belong_to_the_tunnel() -> None:
    """A client that sends its ClientHello early loses nothing, and is never taken for a second request."""
    machine = reader()
    assert len(machine.feed(CONNECT + b"\x16\x03")) == 2
    assert machine.feed(b"\x01") == []
    with pytest.raises(RuntimeError):
        machine.next_message()
    assert machine.take_rest() == b"\x16\x03\x01"
    with pytest.raises(RuntimeError):
        machine.feed(b"more")


def test_rest_only_after_a_complete_message() -> None:
    """A tunnel cannot begin inside a request."""
    machine = reader()
    with pytest.raises(RuntimeError):
        machine.take_rest()
    machine.feed(POST[:-1])
    with pytest.raises(RuntimeError):
        machine.take_rest()


def test_no_request_after_the_last() -> None:
    """A client that said close is not served a second request on the connection."""
    machine = reader()
    machine.feed(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + GET)
    with pytest.raises(RuntimeError):
        machine.next_message()


def test_sending_far_ahead_is_bounded() -> None:
    """A client cannot fill our memory behind a request that is being judged."""
    machine = reader()
    machine.feed(GET + b"a" * 100_000)
    machine.feed(b"a" * 100_000)
    with pytest.raises(Malformed) as caught:
        machine.feed(b"a" * 100_000)
    assert caught.value.fault == "too-far-ahead"


# -- properties ----------------------------------------------------------------------------------------------------


@given(st.data())
def test_split_anywhere(data: st.DataObject) -> None:
    """However the network cuts them, several requests in a row are read the same."""
    raw = b"".join(data.draw(st.lists(st.sampled_from(VALID), min_size=1, max_size=3)))
    assert conversation(data.draw(cut(raw))) == conversation([raw])


@given(st.data())
def test_faults_do_not_hide_in_the_cuts(data: st.DataObject) -> None:
    """What is refused in one piece is refused in any, and what is accepted is accepted."""
    raw = data.draw(mutated(FAULTY + VALID))
    whole, pieces = conversation([raw]), conversation(data.draw(cut(raw)) if raw else [])
    assert (whole[2] is None) is (pieces[2] is None)
    if whole[2] is None:
        assert whole == pieces


@given(st.one_of(st.binary(max_size=200), mutated(FAULTY + VALID), st.lists(st.sampled_from(FRAGMENTS)).map(b"".join)))
def test_nothing_but_malformed_is_raised(raw: bytes) -> None:
    """No bytes of a client end in a traceback."""
    conversation([raw])
    conversation([CHUNKED + raw])


token = st.text("!#$%&'*+-.^_`|~ABCXYZabcxyz0189", min_size=1, max_size=12).map(str.encode)
value = st.binary(max_size=30).map(lambda raw: bytes(byte for byte in raw if byte in TEXT))


@st.composite
def composed(draw: st.DrawFn) -> bytes:
    path = draw(st.text("abc/?%&=.;~|{}\"'\\^@:[]", max_size=20))
    host = draw(st.sampled_from(["example.com", "EXAMPLE.com.:8080", "[::1]:81", "127.1", "a_b.example"]))
    method = draw(st.one_of(token, st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT"])))
    separator = "" if path.startswith("?") else "/"
    lines = [b"%b http://%b%b%b HTTP/1.1" % (method, host.encode(), separator.encode(), path.encode()), b"Host: a"]
    lines += [b"X-%b:%b" % pair for pair in draw(st.lists(st.tuples(token, value), max_size=6))]
    body = draw(st.binary(max_size=60))
    if draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    elif body:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"".join([b"%x\r\n%b\r\n" % (len(body), body), b"0\r\n\r\n"])
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@given(st.one_of(composed(), mutated(VALID + FAULTY)))
def test_the_upstream_reads_what_we_read(raw: bytes) -> None:
    """What we send is exactly one message to h11, with the method, target, fields and body that were judged."""
    events, _, _ = conversation([raw])
    if not events or not isinstance(events[-1], End):
        return
    head = events[0]
    assert isinstance(head, RequestHead)
    if head.request.is_connect:
        return
    body = b"".join(event.data for event in events[1 : events.index(next(e for e in events if isinstance(e, End)))])
    request = head.request
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
    server.receive_data(request_head(request, framing_length=len(body) if body else None) + body)
    read = server.next_event()
    assert isinstance(read, h11.Request)
    assert (read.method, read.target) == (request.method.encode(), request.target)
    own = {b"content-length"}
    sent = [(name, text) for name, text in read.headers if name not in own]
    host, *middle, via = sent
    assert host == (b"host", request.authority.host_header("http").encode())
    assert via == (b"via", b"1.1 eve")
    assert middle == [(name, text.strip(b" \t")) for name, text in request.headers]
    received = b""
    while isinstance(event := server.next_event(), h11.Data):
        received += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert received == body
    assert server.trailing_data == (b"", False)
