"""Requests, read by us and by h11. Differences are findings, except where ``strictness`` names them.

- What we accept, h11 accepts: the same head, the same body, the same bytes left over.
- What we refuse and h11 accepts, we refuse for a rule of our own that applies to it.
- What we send upstream is, to h11, that one request and nothing else.
- How the bytes are cut makes no difference.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import Data, Form, FramingKind, RequestHead
from eve_proxy.wire.request_reader import RequestReader
from eve_proxy.wire.serialize import request_head, websocket_head
from fuzz.corpora import files
from fuzz.opinions import US, Reading, h11_request, our_request
from fuzz.strictness import NEVER_IN_REQUESTS, PLAIN_HOST, REQUESTS, Message, accepted_although, unfounded

LONGEST: Final = 4096
DICTIONARY: Final = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"\x0b", b"\x80", b"\r\n ", b"GET "),
    *(b"POST ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"HEAD ", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.2"),
    *(b"Host: a\r\n", b"Content-Length: ", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"gzip, "),
    *(b"Connection: ", b"keep-alive", b"close", b"Upgrade: websocket\r\n", b"Proxy-Connection: ", b"TE: trailers\r\n"),
    *(b"Expect: 100-continue\r\n", b"Max-Forwards: ", b"X-EVE-Verdict: ", b"content_length: "),
    *(b"Content-Length:\r\n 5", b"http://", b"https://", b"http://a/", b"a:443", b"@", b"*", b"#", b"?", b"%2e"),
    *(b"[::1]", b"0x7f.1", b"0\r\n\r\n", b"5\r\nhello\r\n", b"\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"5;a=b\r\n"),
    *(b"0x", b"ffffffffffffffff"),
)

# What we never pass on; the names that Connection adds, and the prefixes, are looked at where they are compared.
_DROPPED: Final = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"http2-settings", b"content-length", b"expect", b"host"),
    )
)
_MOST_MESSAGES: Final = 8


def seeds() -> Iterator[bytes]:
    """The faulty and the valid requests of the corpus."""
    yield from files("requests/*.http")
    yield from files("valid/*.http")


def examine(data: bytes) -> None:
    """Compare, one message after the other; then cut the bytes."""
    left = data
    for _ in range(_MOST_MESSAGES):
        following = _first_message(left)
        if not following:
            break
        left = left[-following:]
    _cut(data)


def _first_message(data: bytes) -> int:
    """Compare the two readings of the first message; returns how many bytes belong to further ones."""
    if not data:
        return 0
    ours = our_request(data)
    # RFC 9112 section 2.2 wants an empty line before a request ignored; h11 does not.
    sound = data.removeprefix(b"\r\n").removeprefix(b"\r\n")
    theirs = h11_request(_ascii_target(sound))
    if ours.fault is None and sound == b"\r":
        return 0  # half of such a line
    if ours.fault is not None:
        if theirs.fault is None and theirs.head is not None:
            wrong = unfounded(ours.fault, REQUESTS, _message(sound, theirs))
            assert wrong is None, wrong
        return 0
    assert theirs.fault is None, f"accepted, but h11 refuses it: {theirs.fault}"
    assert (ours.head is None) == (theirs.head is None), "one waits for the rest of a head, the other does not"
    if ours.head is None:
        return 0
    assert (ours.rest is None) == (theirs.rest is None), "one waits for the rest of a body, the other does not"
    assert ours.rest == theirs.rest, "the message ends at different places"
    assert ours.body == theirs.body, "two different bodies"
    message = _message(sound, theirs)
    slipped = accepted_although(NEVER_IN_REQUESTS, REQUESTS, message)
    assert slipped is None, f"accepted in spite of {slipped}"
    assert not theirs.trailers, "accepted in spite of trailers"
    _compare_heads(ours.head, message)
    if ours.rest is None:
        return 0
    _send_upstream(ours)
    return ours.rest if ours.head.keep_alive else 0


def _ascii_target(data: bytes) -> bytes:
    """h11 takes ASCII targets only; we take international hosts. Letters stand in for them: the framing is the same."""
    line, end, rest = data.partition(b"\n")
    method, blank, others = line.partition(b" ")
    target, *version = others.split(b" ")
    return b" ".join((method + blank + re.sub(rb"[\x80-\xff]", b"x", target), *version)) + end + rest


def _message(data: bytes, theirs: Reading) -> Message:
    end = len(data) - (theirs.rest or 0)
    return Message(
        heads=data[: theirs.heads_end],
        body=data[theirs.heads_end : end],
        complete=theirs.rest is not None,
        head=theirs.head,
        informational=theirs.informational,
        trailers=theirs.trailers,
    )


def _compare_heads(ours: RequestHead, message: Message) -> None:
    theirs = message.head
    request = ours.request
    assert request.method.encode() == theirs.method, "two methods"
    assert ours.version.encode() == theirs.http_version, "two versions"
    assert list(request.headers) == _passed_on(message, ours), "fields that are passed on differ"
    options = message.options()
    lasts = b"close" not in options and (ours.version == "1.1" or b"keep-alive" in options)
    proxied = {
        member.strip(b" \t") for value in message.raw(b"proxy-connection") for member in value.lower().split(b",")
    }
    assert ours.keep_alive == (lasts and b"close" not in proxied and theirs.method != b"CONNECT"), "who closes?"
    lengths = message.values(b"content-length")
    if message.values(b"transfer-encoding"):
        assert ours.framing.kind is FramingKind.CHUNKED
    elif lengths:
        assert ours.framing == (FramingKind.LENGTH, int(lengths[0]))
    else:
        assert ours.framing == (FramingKind.NONE, None)
    if ours.expect_continue:
        assert b"100-continue" in b",".join(message.values(b"expect")).lower()
        assert ours.version == "1.1"
    if request.websocket:
        assert (theirs.method, ours.framing.length or 0) == (b"GET", 0)
        assert b"websocket" in b",".join(message.values(b"upgrade")).lower()
    _compare_targets(ours, message)


def _passed_on(message: Message, ours: RequestHead) -> list[tuple[bytes, bytes]]:
    """The fields that h11 saw, without those that must stay here (RFC 9110 section 7.6.1, evidence.md)."""
    named = message.options() - {b"close", b"keep-alive"}
    fields = []
    for name, value in message.head.headers:
        meant = name.replace(b"_", b"-")
        if meant in _DROPPED or meant.startswith((b"proxy-", b"x-eve-")) or name in named:
            continue
        if name == b"max-forwards" and ours.request.method in ("OPTIONS", "TRACE"):
            value = b"%d" % max(0, int(value) - 1)
        fields.append((name, value))
    return fields


def _compare_targets(ours: RequestHead, message: Message) -> None:
    request, target = ours.request, message.target
    hosts = message.values(b"host")
    if ours.form is Form.AUTHORITY:
        assert (request.method, request.target, request.scheme) == ("CONNECT", b"", "https")
        _compare_hosts(target, request.authority.host, request.authority.port, None)
        return
    assert request.scheme == "http"
    if ours.form is Form.ABSOLUTE:
        url = urlsplit(target.decode("latin-1"))
        assert url.scheme == "http"
        _compare_hosts(url.netloc.encode("latin-1"), request.authority.host, request.authority.port, 80)
        path = target.partition(b"://")[2].removeprefix(url.netloc.encode("latin-1"))
        empty = b"*" if request.method == "OPTIONS" else b"/"
        assert request.target == (path if path.startswith(b"/") else b"/" + path if path else empty), "two targets"
        return
    assert request.target == target, "two targets"
    assert (ours.form is Form.ASTERISK) == (target == b"*")
    if hosts:
        _compare_hosts(hosts[0], request.authority.host, request.authority.port, 80)
    else:
        assert ours.version == "1.0"
        assert request.authority == US


def _compare_hosts(said: bytes, host: str, port: int, default: int | None) -> None:
    if PLAIN_HOST.fullmatch(said):
        name, _, number = said.decode("ascii").partition(":")
        assert host == name.lower().removesuffix("."), "two hosts"
        assert port == (int(number) if number else default), "two ports"


def _send_upstream(ours: Reading) -> None:
    """What goes out is one request to h11 too, and the one that was judged."""
    head = ours.head
    request = head.request
    if request.is_connect:
        return
    if request.websocket:
        own = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        sent = websocket_head(request)
    else:
        length = len(ours.body) if head.framing.kind is not FramingKind.NONE else None
        sent = request_head(request, framing_length=length) + ours.body
        if length is None and request.method in ("POST", "PUT", "PATCH"):
            length = 0
        own = [] if length is None else [(b"content-length", b"%d" % length)]
    theirs = h11_request(sent)
    assert (theirs.fault, theirs.rest) == (None, 0), "what we send upstream is not exactly one request"
    assert theirs.body == ours.body
    assert (theirs.head.method.decode(), theirs.head.target) == (request.method, request.target)
    host = request.authority.host_header("http").encode()
    expected = [(b"host", host), *request.headers, (b"via", b"1.1 eve"), *own]
    assert list(theirs.head.headers) == expected, "what we send upstream has other fields"
    if len(expected) > 128:
        return  # one of us behind another one refuses that many
    again = our_request(sent)
    assert again.head is not None, "we refuse what we send"
    assert again.head.request.authority == request.authority, "the upstream is asked for another host"


def _cut(data: bytes) -> None:
    """The same bytes in pieces: the same messages, refused or not."""
    whole = _conversation([data])
    at = zlib.crc32(data) % (len(data) + 1)
    # Line by line, and between the two bytes of each line's end.
    ways = [[data[:at], data[at:]], re.split(rb"(?<=\n)", data), re.split(rb"(?<=\r)", data)]
    if len(data) <= 64 or (len(data) <= 1024 and at % 8 == 0):  # thorough, but slow
        ways.append([data[place : place + 1] for place in range(len(data))])
    for pieces in ways:
        assert _conversation(pieces) == whole, "how the bytes are cut makes a difference"


def _conversation(pieces: Sequence[bytes]) -> tuple[list[tuple[Any, bytes]], Any]:
    """The complete messages, and how it ends: the incomplete one, or that the bytes were refused."""
    reader = RequestReader(default_authority=US)
    complete: list[tuple[Any, bytes]] = []
    head: RequestHead | None = None
    body = b""
    try:
        for piece in pieces:
            events = reader.feed(piece)
            while events:
                goes_on = False
                for event in events:
                    if isinstance(event, RequestHead):
                        head, body = event, b""
                    elif isinstance(event, Data):
                        body += event.data
                    else:
                        assert head is not None
                        complete.append((head, body))
                        goes_on, head, body = head.keep_alive, None, b""
                events = reader.next_message() if goes_on else []
    except Malformed:
        return complete, "refused"
    return complete, (head, body)
