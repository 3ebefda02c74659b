"""Responses, read by us and by h11, as answers to three requests: GET, HEAD, and GET with an upgrade to websocket.

What we accept, h11 accepts, with the same heads, body and end; what we refuse and h11 accepts has a reason in
``strictness``. What we relay is, to h11, that response and nothing else. How the bytes are cut makes no difference.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.wire.events import Data, End, FramingKind, Informational, ResponseHead
from eve_proxy.wire.framing import relay_framing
from eve_proxy.wire.response_reader import ResponseReader
from eve_proxy.wire.serialize import chunk, last_chunk, response_head
from fuzz.corpora import files
from fuzz.opinions import Reading, h11_response, our_response
from fuzz.strictness import (
    IN_TRAILERS,
    NEVER_IN_HEADS,
    NEVER_IN_RESPONSES,
    OF_TRAILER_FRAMING,
    RESPONSES,
    Message,
    accepted_although,
    unfounded,
)

LONGEST: Final = 4096
DICTIONARY: Final = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"\x0b", b"\r\n "),
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 ", b"HTTP/1.1 ", b"HTTP/1.2 ", b"100 Continue", b"103 ", b"304 ", b"204 "),
    *(b"101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", b"600 ", b"099 "),
    *(b"Content-Length: ", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"gzip, ", b"Connection: "),
    *(b"close", b"keep-alive", b"WWW-Authenticate: NTLM\r\n", b"X-EVE-Verdict: ", b"content_length: ", b"Via: "),
    *(b"0\r\n\r\n", b"5\r\nhello\r\n", b"\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"5;a=b\r\n", b"ffffffffffffffff"),
)

_DROPPED: Final = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"http2-settings", b"content-length", b"host"),
    )
)
# RFC 9110 section 6.5.1, as far as we hold to it.
_NOT_TRAILERS: Final = _DROPPED | frozenset(
    (
        *(b"authorization", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"location"),
        *(b"set-cookie", b"via", b"www-authenticate"),
    )
)


def seeds() -> Iterator[bytes]:
    """The faulty responses of the corpus, and sound ones of every framing."""
    yield from files("responses/*.http")
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    yield b"HTTP/1.0 200\r\nConnection: keep-alive\r\n\r\nuntil the end"
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
    yield b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
    yield b"HTTP/1.1 204 No Content\r\nConnection: x-a\r\nX-A: b\r\nSet-Cookie: a=b\r\n\r\nsurplus"


def examine(data: bytes) -> None:
    """Compare for each of the three requests."""
    for method, websocket in (("GET", False), ("HEAD", False), ("GET", True)):
        _examine(data, method, websocket)


def _examine(data: bytes, method: str, websocket: bool) -> None:
    ours, reader = our_response(data, method, websocket=websocket)
    theirs = h11_response(data, method, websocket=websocket, closed=False)
    _cut(data, method, websocket)
    if ours.fault is not None:
        if theirs.fault is None and theirs.head is not None:
            wrong = _unfounded(ours.fault, _message(data, theirs))
            assert wrong is None, wrong
        return
    assert theirs.fault is None, f"accepted, but h11 refuses it: {theirs.fault}"
    assert [_told(head) for head in ours.informational] == [_shown(head) for head in theirs.informational], "1xx"
    assert (ours.head is None) == (theirs.head is None), "one waits for the rest of a head, the other does not"
    if ours.head is not None or ours.informational:
        # The conditions on heads are exact where there is one head.
        never = NEVER_IN_RESPONSES if ours.informational else NEVER_IN_RESPONSES + NEVER_IN_HEADS
        slipped = accepted_although(never, RESPONSES, _message(data, theirs))
        assert slipped is None, f"accepted in spite of {slipped}"
    if ours.head is not None:
        _compare(ours, theirs, _message(data, theirs))
    closed = h11_response(data, method, websocket=websocket, closed=True)
    try:
        ended = reader.eof()
    except UpstreamFailed:
        assert closed.rest is None, "h11 takes the response for complete when the upstream closes, we do not"
        return
    assert closed.fault is None, (
        f"we take the response for complete when the upstream closes, h11 does not: {closed.fault}"
    )
    assert bool(ended) == (theirs.rest is None), "who ends the response?"
    if ours.head.upgrade is None:
        _relay(ours)


def _unfounded(fault: str, message: Message) -> str | None:
    if fault in OF_TRAILER_FRAMING and RESPONSES["trailer-framing"](message):
        return None
    if fault in IN_TRAILERS and message.values(b"transfer-encoding"):
        heads = message.heads + message.body
        message = Message(
            heads=heads,
            body=b"",
            complete=message.complete,
            head=message.head,
            informational=message.informational,
            trailers=[],
        )
    return unfounded(fault, RESPONSES, message)


def _message(data: bytes, theirs: Reading) -> Message:
    end = len(data) - (theirs.rest or 0)
    return Message(
        heads=data[: theirs.heads_end],
        body=data[theirs.heads_end : end],
        complete=theirs.rest is not None,
        head=theirs.head or theirs.informational[-1],
        informational=theirs.informational,
        trailers=theirs.trailers,
    )


def _told(head: ResponseHead) -> tuple[Any, ...]:
    return head.status, head.version.encode(), head.reason, list(head.headers)


def _shown(head: Any) -> tuple[Any, ...]:
    said = [value for name, value in head.headers if name == b"connection"]
    named = {member.strip(b" \t") for value in said for member in value.lower().split(b",")}
    fields = [
        (name, value)
        for name, value in head.headers
        if _travels(name, _DROPPED) and name not in named - {b"close", b"keep-alive"}
    ]
    return head.status_code, head.http_version, head.reason, fields


def _travels(name: bytes, dropped: frozenset[bytes]) -> bool:
    meant = name.replace(b"_", b"-")
    return meant not in dropped and not meant.startswith((b"proxy-", b"x-eve-"))


def _compare(ours: Reading, theirs: Reading, message: Message) -> None:
    head = ours.head
    assert _told(head) == _shown(theirs.head), "the head differs"
    if head.upgrade is not None:
        assert theirs.head.status_code == 101
        return
    assert (ours.rest is None) == (theirs.rest is None), "one waits for the rest of a body, the other does not"
    assert ours.body == theirs.body, "two different bodies"
    expected = [(name, value) for name, value in theirs.trailers if _travels(name, _NOT_TRAILERS)]
    assert ours.trailers == expected, "the trailers differ"
    if head.keep_alive:
        # A connection that the upstream does not keep must not be waited on; one with bytes left over not be reused.
        assert b"close" not in {
            member for value in message.raw(b"connection")[-1:] for member in value.lower().split(b",")
        }
        assert head.framing.kind is not FramingKind.CLOSE


def _relay(ours: Reading) -> None:
    """What the client gets is that response to h11 too. (To HEAD the body is empty on both sides.)"""
    head: ResponseHead = ours.head
    framing = relay_framing(head.framing, head.content_length, "1.1")
    sent = response_head(head.status, head.reason, head.headers, framing=framing, keep_alive=True)
    if framing.kind is FramingKind.CHUNKED:
        sent += chunk(ours.body) + last_chunk(Headers.of(ours.trailers))
    else:
        sent += ours.body
    method = "HEAD" if framing.kind is FramingKind.NONE else "GET"
    theirs = h11_response(sent, method, websocket=False, closed=False)
    assert (theirs.fault, theirs.rest) == (None, 0), "what we relay is not exactly one response"
    assert (theirs.head.status_code, theirs.body) == (head.status, ours.body)
    assert theirs.trailers == ours.trailers


def _cut(data: bytes, method: str, websocket: bool) -> None:
    whole = _events([data], method, websocket)
    at = zlib.crc32(data) % (len(data) + 1)
    # Line by line, and between the two bytes of each line's end.
    ways = [[data[:at], data[at:]], re.split(rb"(?<=\n)", data), re.split(rb"(?<=\r)", data)]
    if len(data) <= 64 or (len(data) <= 1024 and at % 8 == 0):  # thorough, but slow
        ways.append([data[place : place + 1] for place in range(len(data))])
    for pieces in ways:
        cut = _events(pieces, method, websocket)
        if whole[1] == "refused":
            # What came before the fault was given out where it came in pieces of its own.
            assert cut[1] == "refused", "how the bytes are cut decides whether they are refused"
        else:
            assert cut == whole, "how the bytes are cut makes a difference"


def _events(pieces: Sequence[bytes], method: str, websocket: bool) -> tuple[list[Any], Any]:
    """What is given out, bodies in one piece, and how it ends."""
    reader = ResponseReader(method, websocket=websocket)
    given: list[Any] = []
    try:
        for piece in pieces:
            for event in reader.feed(piece):
                if isinstance(event, Data) and given and isinstance(given[-1], Data):
                    given[-1] = Data(given[-1].data + event.data)
                else:
                    assert isinstance(event, ResponseHead | Informational | Data | End)
                    given.append(event)
    except UpstreamFailed:
        return given, "refused"
    upgraded = any(isinstance(event, ResponseHead) and event.upgrade for event in given)
    return given, reader.take_rest() if upgraded else reader.surplus
