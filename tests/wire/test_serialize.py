"""What we write, and what cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.wire.events import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, FramingKind
from eve_proxy.wire.serialize import (
    CONTINUE,
    LAST_CHUNK,
    absolute_head,
    chunk,
    connect_head,
    connect_response_head,
    informational_head,
    last_chunk,
    request_head,
    response_head,
    switching_protocols_head,
    websocket_head,
    with_authorization,
)

REQUEST = Request(
    method="GET",
    scheme="http",
    authority=parse_authority("example.com:8080", 80),
    target=b"/a?b",
    headers=Headers.of([(b"AcCept", b"*/*"), (b"Via", b"1.0 fred")]),
)
FIVE = Framing(kind=FramingKind.LENGTH, length=5)
EXTRA = ((b"X-EVE-Verdict", b"BLOCK"),)


def test_request() -> None:
    """Origin-form, Host first, names as received, our Via after the others (RFC 9110 section 7.6.3)."""
    assert request_head(REQUEST, framing_length=None) == (
        b"GET /a?b HTTP/1.1\r\nHost: example.com:8080\r\nAcCept: */*\r\nVia: 1.0 fred\r\nVia: 1.1 eve\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "size", "expected"),
    [
        ("GET", None, None),
        ("GET", 5, b"5"),
        ("DELETE", None, None),
        ("POST", None, b"0"),
        ("PUT", None, b"0"),
        ("PATCH", None, b"0"),
        ("POST", 0, b"0"),
        ("POST", 5, b"5"),
    ],
)
def test_request_length(method: str, size: int | None, expected: bytes | None) -> None:
    """A body is announced, and so is the empty body of a method that usually has one."""
    head = request_head(replace(REQUEST, method=method), framing_length=size)
    assert head.count(b"Content-Length") == (expected is not None)
    if expected is not None:
        assert b"\r\nContent-Length: " + expected + b"\r\n" in head


def test_request_host() -> None:
    """Host is rewritten from what was judged; the scheme's own port is left out."""
    for text, scheme, host in (
        ("example.com", "http", b"example.com"),
        ("[::1]:81", "http", b"[::1]:81"),
        ("example.com:443", "https", b"example.com"),
        ("example.com:443", "http", b"example.com:443"),
    ):
        request = replace(REQUEST, scheme=scheme, authority=parse_authority(text, 80))
        assert request_head(request, framing_length=None).split(b"\r\n")[1] == b"Host: " + host


def test_asterisk() -> None:
    """OPTIONS for the server as a whole."""
    request = replace(REQUEST, method="OPTIONS", target=b"*")
    assert request_head(request, framing_length=None).startswith(b"OPTIONS * HTTP/1.1\r\n")


def test_websocket_request() -> None:
    """The handshake asks for websocket and nothing else."""
    request = replace(REQUEST, headers=Headers.of([(b"Sec-WebSocket-Key", b"x")]), websocket=True)
    assert websocket_head(request, via=b"1.1 us").split(b"\r\n")[2:] == [
        b"Sec-WebSocket-Key: x",
        b"Via: 1.1 us",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    ("framing", "version", "keep_alive", "expected"),
    [
        (FIVE, "1.1", True, [b"Content-Length: 5"]),
        (FIVE, "1.1", False, [b"Content-Length: 5", b"Connection: close"]),
        (FIVE, "1.0", True, [b"Content-Length: 5", b"Connection: keep-alive"]),
        (FIVE, "1.0", False, [b"Content-Length: 5", b"Connection: close"]),
        (CHUNKED, "1.1", True, [b"Transfer-Encoding: chunked"]),
        (UNTIL_CLOSE, "1.0", False, [b"Connection: close"]),
        (NO_BODY, "1.1", True, []),
        (Framing(kind=FramingKind.NONE, length=7), "1.1", True, [b"Content-Length: 7"]),
    ],
)
def test_response(framing: Framing, version: str, keep_alive: bool, expected: list[bytes]) -> None:
    """The framing is ours, whatever the upstream's was; our fields come after the upstream's."""
    head = response_head(
        200,
        b"Fine",
        Headers.of([(b"SerVer", b"x")]),
        framing=framing,
        extra=EXTRA,
        keep_alive=keep_alive,
        version=version,
    )
    assert head.split(b"\r\n") == [
        *(b"HTTP/1.1 200 Fine", b"SerVer: x", b"Via: 1.1 eve", b"X-EVE-Verdict: BLOCK"),
        *(*expected, b"", b""),
    ]


def test_framings_that_do_not_fit() -> None:
    """A body whose end the client could not find is not begun."""
    for framing, version, keep_alive in ((CHUNKED, "1.0", False), (UNTIL_CLOSE, "1.1", True)):
        with pytest.raises(ValueError):
            response_head(200, b"OK", Headers(), framing=framing, keep_alive=keep_alive, version=version)


def test_other_heads() -> None:
    """Answers that have no body and no framing fields."""
    assert CONTINUE == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connect_response_head(extra=EXTRA) == b"HTTP/1.1 200 Connection established\r\nX-EVE-Verdict: BLOCK\r\n\r\n"
    assert informational_head(103, b"Early Hints", Headers.of([(b"Link", b"</a>")])) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 eve\r\n\r\n"
    )
    assert switching_protocols_head(Headers.of([(b"Sec-WebSocket-Accept", b"x")]), extra=EXTRA) == (
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nVia: 1.1 eve\r\nX-EVE-Verdict: BLOCK\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    own = response_head(400, b"Bad Request", Headers(), framing=FIVE, keep_alive=False, via=None)
    assert b"Via" not in own


def test_chunks() -> None:
    """No data is no chunk: it would end the body."""
    assert chunk(b"hello world, hello") == b"12\r\nhello world, hello\r\n"
    assert chunk(b"") == b""
    assert last_chunk(Headers()) == LAST_CHUNK == b"0\r\n\r\n"
    assert last_chunk(Headers.of([(b"A", b"b")])) == b"0\r\nA: b\r\n\r\n"


@given(st.lists(st.binary(max_size=50)), st.booleans())
def test_h11_reads_our_chunks(pieces: list[bytes], trailers: bool) -> None:
    """A chunked response is what its pieces were."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    head = response_head(200, b"OK", Headers(), framing=CHUNKED, keep_alive=True)
    client.receive_data(
        head + b"".join(map(chunk, pieces)) + last_chunk(Headers.of([(b"a", b"b")] if trailers else []))
    )
    assert isinstance(client.next_event(), h11.Response)
    received = b""
    while isinstance(event := client.next_event(), h11.Data):
        received += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert received == b"".join(pieces)
    assert list(event.headers) == ([(b"a", b"b")] if trailers else [])


WRITERS: list[Callable[[bytes, bytes], bytes]] = [
    lambda name, value: request_head(replace(REQUEST, headers=Headers.of([(name, value)])), framing_length=5),
    lambda name, value: websocket_head(replace(REQUEST, headers=Headers.of([(name, value)]))),
    lambda name, value: response_head(200, b"", Headers.of([(name, value)]), framing=FIVE, keep_alive=True),
    lambda name, value: response_head(200, b"", Headers(), framing=FIVE, extra=[(name, value)], keep_alive=True),
    lambda name, value: connect_response_head(extra=[(name, value)]),
    lambda name, value: switching_protocols_head(Headers.of([(name, value)])),
    lambda name, value: informational_head(103, b"", Headers.of([(name, value)])),
    lambda name, value: last_chunk(Headers.of([(name, value)])),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("value", [b"a\r\nB: c", b"a\r", b"\n", b"\0", b"a\x1b[31m", b"\x7f", b"\r\n\r\n"])
def test_values_cannot_inject(write: Callable[[bytes, bytes], bytes], value: bytes) -> None:
    """A value with a line end or control character is never written, whoever supplied it."""
    with pytest.raises(ValueError):
        write(b"A", value)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", [b"", b"A:", b"A\r\nB", b"A B", b"A\0", b"\xe9"])
def test_names_cannot_inject(write: Callable[[bytes, bytes], bytes], name: bytes) -> None:
    """A name that is not a token is never written."""
    with pytest.raises(ValueError):
        write(name, b"x")


@pytest.mark.parametrize(
    "name", [b"Content-Length", b"transfer-encoding", b"HOST", b"Connection", b"Upgrade", b"Proxy-Connection", b"TE"]
)
def test_framing_fields_are_ours_alone(name: bytes) -> None:
    """A field that came in by another way (a governor's modification) cannot frame the message a second time."""
    headers = Headers.of([(name, b"5")])
    with pytest.raises(ValueError):
        request_head(replace(REQUEST, headers=headers), framing_length=5)
    with pytest.raises(ValueError):
        response_head(200, b"OK", headers, framing=FIVE, keep_alive=True)


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, target=b""),
        replace(REQUEST, target=b"/a b"),
        replace(REQUEST, target=b"/a\tb"),
        replace(REQUEST, target=b"/ HTTP/1.1\r\nA: b\r\n\r\n"),
        replace(REQUEST, method=""),
        replace(REQUEST, method="GET /"),
        replace(REQUEST, method="GET\r\n"),
        replace(REQUEST, method="G\u00c9T"),
        replace(REQUEST, method="CONNECT"),
    ],
)
def test_request_lines_cannot_inject(request_: Request) -> None:
    """A method or target that would read as something else is never written."""
    with pytest.raises(ValueError):
        request_head(request_, framing_length=None)


def test_status_lines_cannot_inject() -> None:
    """Neither a reason nor a status breaks the line."""
    with pytest.raises(ValueError):
        response_head(200, b"OK\r\nA: b", Headers(), framing=FIVE, keep_alive=True)
    with pytest.raises(ValueError):
        response_head(1000, b"OK", Headers(), framing=FIVE, keep_alive=True)


@pytest.mark.parametrize(
    ("authority", "target", "line", "host"),
    [
        ("a.example:80", b"/x?y", b"GET http://a.example/x?y HTTP/1.1", b"Host: a.example"),
        ("a.example:8080", b"/", b"GET http://a.example:8080/ HTTP/1.1", b"Host: a.example:8080"),
        ("[2001:db8::1]:80", b"/", b"GET http://[2001:db8::1]/ HTTP/1.1", b"Host: [2001:db8::1]"),
        ("a.example:80", b"*", b"GET http://a.example HTTP/1.1", b"Host: a.example"),
    ],
)
def test_absolute_form(authority: str, target: bytes, line: bytes, host: bytes) -> None:
    """A proxy is told the whole URL; everything else is as for an origin."""
    request = Request(
        method="GET", scheme="http", authority=parse_authority(authority, None), target=target, headers=Headers()
    )
    head = absolute_head(request, framing_length=None)
    assert head.split(b"\r\n")[:2] == [line, host]
    assert head.endswith(b"Via: 1.1 eve\r\n\r\n")
    with_ours = with_authorization(head, b"Basic eA==")
    assert with_ours == head[:-2] + b"Proxy-Authorization: Basic eA==\r\n\r\n"
    assert with_authorization(head, None) == head


def test_connect() -> None:
    """Host repeats the target (RFC 9112 section 3.2.3); credentials stand there only when there are some."""
    there = parse_authority("[2001:db8::1]:443", None)
    bare = b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
    assert connect_head(there, None) == bare + b"\r\n"
    assert connect_head(there, b"Basic eA==") == bare + b"Proxy-Authorization: Basic eA==\r\n\r\n"
    with pytest.raises(ValueError, match="control character"):
        connect_head(there, b"Basic\r\nX: y")
