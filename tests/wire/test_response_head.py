"""Response heads."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, FramingKind, ResponseHead
from eve_proxy.wire.response_head import parse_response_head


def parse(first: str, *fields: str, method: str = "GET", websocket: bool = False) -> ResponseHead:
    head = "".join(f"{line}\r\n" for line in (first, *fields)).encode("latin-1")
    return parse_response_head(head, method, websocket=websocket)


def fault(first: str, *fields: str, websocket: bool = False) -> str:
    with pytest.raises(Malformed) as caught:
        parse(first, *fields, websocket=websocket)
    return caught.value.fault


def test_a_response() -> None:
    """Status, reason and end-to-end fields arrive as sent."""
    head = parse("HTTP/1.1 404 Not  Found\xe9", "Server: x", "SET-cookie: a", "Set-Cookie: b", "Content-Length: 5")
    assert (head.status, head.reason, head.version) == (404, b"Not  Found\xe9", "1.1")
    assert [field[1:] for field in head.headers.fields] == [
        (b"Server", b"x"),
        (b"SET-cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]
    assert head.framing == Framing(kind=FramingKind.LENGTH, length=5)
    assert head.content_length == 5
    assert head.keep_alive
    assert not head.connection_auth
    assert head.upgrade is None


@pytest.mark.parametrize("line", ["HTTP/1.1 200", "HTTP/1.1 200 "])
def test_reason_may_be_missing(line: str) -> None:
    """Some servers leave it out."""
    assert parse(line).reason == b""


@pytest.mark.parametrize(
    "line",
    ["HTTP/1.1 099 a", "HTTP/1.1 600 a", "HTTP/1.1 20 a", "HTTP/1.1 2000", "HTTP/1.1  200 a", "HTTP/1.1 \xb2\xb9\xb2"],
)
def test_status_codes(line: str) -> None:
    """Only 100 to 599 are statuses."""
    assert fault(line) == "status-code"


@pytest.mark.parametrize("line", ["HTTP/1.2 200 OK", "HTTP/2 200", "http/1.1 200 OK", "ICY 200 OK", "HTTP/1.1\t200 OK"])
def test_versions(line: str) -> None:
    """Only HTTP/1.0 and 1.1 are spoken."""
    assert fault(line) == "status-version"


@pytest.mark.parametrize(
    ("line", "fields", "keep_alive"),
    [
        ("HTTP/1.1 200 OK", ["Content-Length: 0"], True),
        ("HTTP/1.1 200 OK", ["Content-Length: 0", "Connection: Close"], False),
        ("HTTP/1.1 200 OK", [], False),
        ("HTTP/1.0 200 OK", ["Content-Length: 0"], False),
        ("HTTP/1.0 200 OK", ["Content-Length: 0", "Connection: keep-alive"], True),
        ("HTTP/1.1 204 No Content", [], True),
        ("HTTP/1.1 204 No Content", ["Content-Length: 5"], False),
        ("HTTP/1.1 204 No Content", ["Transfer-Encoding: chunked"], False),
        ("HTTP/1.1 304 Not Modified", ["Content-Length: 5"], True),
    ],
)
def test_keep_alive(line: str, fields: list[str], keep_alive: bool) -> None:
    """A connection whose end of message is in doubt is not used again."""
    assert parse(line, *fields).keep_alive is keep_alive


def test_lengths_that_only_announce() -> None:
    """HEAD and 304 repeat the length; a 204 has none to repeat."""
    assert parse("HTTP/1.1 200 OK", "Content-Length: 5", method="HEAD").content_length == 5
    assert parse("HTTP/1.1 200 OK", "Content-Length: 5", method="HEAD").framing == NO_BODY
    assert parse("HTTP/1.1 304 x", "Content-Length: 5").content_length == 5
    assert parse("HTTP/1.1 204 x", "Content-Length: 0").content_length is None
    assert parse("HTTP/1.1 200 OK").framing == UNTIL_CLOSE
    assert parse("HTTP/1.1 200 OK", "Transfer-Encoding: chunked").framing == CHUNKED


def test_what_stays_behind() -> None:
    """Nobody else speaks in our name, and a 407 of an upstream does not ask our client for credentials."""
    head = parse(
        *("HTTP/1.1 407 x", "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Authenticate: Basic"),
        *("Proxy-Connection: close", "X-EVE-Decision-Cert: {}", "Upgrade: h2c", "Trailer: a", "Content-Length: 0"),
        *("Via: 1.1 other", "WWW-Authenticate: Basic"),
    )
    assert [name for name, _ in head.headers] == [b"via", b"www-authenticate"]


@pytest.mark.parametrize("field", ["WWW-Authenticate: NTLM", "Proxy-Authenticate: Basic, Negotiate"])
def test_connection_authentication(field: str) -> None:
    """A connection that authenticates as a whole is marked."""
    assert parse("HTTP/1.1 401 x", "WWW-Authenticate: Basic realm=a", field).connection_auth
    assert parse("HTTP/1.1 401 x", field).connection_auth
    assert not parse("HTTP/1.1 401 x", "WWW-Authenticate: Basic realm=a").connection_auth


SWITCH = "HTTP/1.1 101 Switching Protocols"


def test_matching_101() -> None:
    """Only an asked-for upgrade to websocket opens a tunnel."""
    head = parse(SWITCH, "Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Accept: x", websocket=True)
    assert head.upgrade == b"websocket"
    assert [name for name, _ in head.headers] == [b"sec-websocket-accept"]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (SWITCH, ["Upgrade: websocket"]),
        (SWITCH, ["Connection: upgrade"]),
        (SWITCH, ["Connection: upgrade", "Upgrade: h2c"]),
        (SWITCH, ["Connection: upgrade", "Upgrade: websocket, h2c"]),
        (SWITCH.replace("1.1", "1.0"), ["Connection: upgrade", "Upgrade: websocket"]),
    ],
)
def test_other_101(line: str, fields: list[str]) -> None:
    """An upgrade to something else is a failure of the upstream."""
    assert fault(line, *fields, websocket=True) == "mismatched-101"


def test_unasked_101() -> None:
    """An upstream cannot turn an ordinary exchange into a tunnel."""
    assert fault(SWITCH, "Connection: upgrade", "Upgrade: websocket") == "unexpected-101"


def test_informational_with_body() -> None:
    """A 1xx response cannot announce a body."""
    assert fault("HTTP/1.1 103 x", "Content-Length: 1") == "informational-with-body"
    assert fault("HTTP/1.1 100 x", "Transfer-Encoding: chunked") == "informational-with-body"
    assert parse("HTTP/1.1 100 x", "Content-Length: 0").framing == NO_BODY
