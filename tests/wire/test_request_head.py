"""From a head to the value that is judged."""

from __future__ import annotations

import pytest

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import CHUNKED, NO_BODY, Form, Framing, FramingKind, RequestHead
from eve_proxy.wire.request_head import parse_request_head

US = Authority(host="127.0.0.1", port=3128)


def parse(*lines: str, scheme: str = "http") -> RequestHead:
    head = "".join(f"{line}\r\n" for line in lines).encode()
    return parse_request_head(head, default_authority=US, scheme=scheme)


def get(*fields: str, line: str = "GET http://example.com/ HTTP/1.1") -> RequestHead:
    return parse(line, "Host: example.com", *fields)


def post(*fields: str) -> RequestHead:
    return get(*fields, line="POST http://example.com/ HTTP/1.1")


def fault(*lines: str) -> str:
    with pytest.raises(Malformed) as caught:
        parse(*lines)
    return caught.value.fault


def names(head: RequestHead) -> list[bytes]:
    return [name for _, name, _ in head.request.headers.fields]


# -- where it goes -------------------------------------------------------------------------------------------------


def test_absolute_form_wins_over_host() -> None:
    """What is judged is where the URL points, not what Host pretends."""
    head = parse("GET http://evil.example:8080/a HTTP/1.1", "Host: example.com", "A: b")
    assert str(head.request.authority) == "evil.example:8080"
    assert (head.request.scheme, head.request.target, head.form) == ("http", b"/a", Form.ABSOLUTE)
    assert names(head) == [b"A"]


def test_connect_wins_over_host() -> None:
    """A tunnel goes where the request line says."""
    head = parse("CONNECT evil.example:443 HTTP/1.1", "Host: example.com:443")
    assert str(head.request.authority) == "evil.example:443"
    assert (head.request.scheme, head.request.target, head.form) == ("https", b"", Form.AUTHORITY)
    assert head.request.is_connect


def test_host_is_where_origin_form_goes() -> None:
    """Canonical like any other authority."""
    assert str(parse("GET / HTTP/1.1", "Host: EXAMPLE.com.:81").request.authority) == "example.com:81"
    inner = parse("GET / HTTP/1.1", "Host: example.com", scheme="https").request
    assert (inner.scheme, str(inner.authority)) == ("https", "example.com:443")


def test_http10_may_leave_out_host() -> None:
    """``requests`` on Python 3.11 sends CONNECT as HTTP/1.0 without Host; old clients send paths without one."""
    assert str(parse("CONNECT example.com:443 HTTP/1.0").request.authority) == "example.com:443"
    assert str(parse("GET http://example.com/ HTTP/1.0").request.authority) == "example.com:80"
    assert parse("GET /healthz HTTP/1.0").request.authority == US
    assert str(parse("GET / HTTP/1.0", "Host: example.com").request.authority) == "example.com:80"


def test_host_faults() -> None:
    """HTTP/1.1 has exactly one Host, HTTP/1.0 at most one, and each is valid even where it does not count."""
    assert fault("GET http://example.com/ HTTP/1.1") == "host-missing"
    assert fault("CONNECT example.com:443 HTTP/1.1") == "host-missing"
    assert fault("GET http://example.com/ HTTP/1.1", "Host: example.com", "host: example.com") == "two-hosts"
    assert fault("GET http://example.com/ HTTP/1.0", "Host: a", "Host: b") == "two-hosts"
    assert fault("GET http://example.com/ HTTP/1.1", "Host: a b") == "host-invalid"
    assert fault("CONNECT example.com:443 HTTP/1.0", "Host: a@b") == "host-invalid"


# -- the body ------------------------------------------------------------------------------------------------------


def test_framing() -> None:
    """A request's body is declared or absent; it never lasts until the connection closes."""
    assert get().framing == NO_BODY
    assert post("Content-Length: 5").framing == Framing(kind=FramingKind.LENGTH, length=5)
    assert post("Transfer-Encoding: chunked").framing == CHUNKED


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_methods_that_cannot_have_a_body(method: str) -> None:
    """What follows a CONNECT is the tunnel's: bytes with two readings are refused."""
    line = f"{method} {'example.com:443' if method == 'CONNECT' else 'http://example.com/'} HTTP/1.1"
    for field in ("Content-Length: 1", "Transfer-Encoding: chunked"):
        assert fault(line, "Host: example.com", field) == f"{method.lower()}-with-body"
    assert parse(line, "Host: example.com", "Content-Length: 0").framing.length == 0


def test_expect_continue() -> None:
    """Answered only where somebody waits: HTTP/1.1 with a body to send."""
    assert post("Expect: 100-Continue", "Content-Length: 5").expect_continue
    assert post("Expect: 100-continue", "Transfer-Encoding: chunked").expect_continue
    assert not post("Expect: 100-continue", "Content-Length: 0").expect_continue
    assert not get("Expect: 100-continue").expect_continue
    assert not post("Content-Length: 5").expect_continue
    old = get("Expect: 100-continue", "Content-Length: 5", line="POST http://example.com/ HTTP/1.0")
    assert not old.expect_continue
    assert names(post("Expect: 100-continue", "Content-Length: 5")) == []


def test_unknown_expectation() -> None:
    """417, as RFC 9110 section 10.1.1 allows."""
    with pytest.raises(Malformed) as caught:
        post("Expect: 100-continue, tea", "Content-Length: 5")
    assert (caught.value.fault, caught.value.status) == ("expectation", 417)


# -- the connection ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "fields", "keep_alive"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: keep-alive, Close"], False),
        ("1.1", ["Proxy-Connection: close"], False),
        ("1.1", ["Proxy-Connection: Keep-Alive"], True),
        ("1.0", [], False),
        ("1.0", ["Connection: Keep-Alive"], True),
        ("1.0", ["Connection: keep-alive", "Connection: close"], False),
        ("1.0", ["Connection: keep-alive", "Proxy-Connection: close"], False),
        ("1.0", ["Proxy-Connection: keep-alive"], False),
    ],
)
def test_keep_alive(version: str, fields: list[str], keep_alive: bool) -> None:
    """A client that cannot go on is not kept waiting, one that can is not cut off."""
    head = get(*fields, line=f"GET http://example.com/ HTTP/{version}")
    assert (head.version, head.keep_alive) == (version, keep_alive)


def test_connect_is_the_last_request() -> None:
    """Bytes after a failed CONNECT are never read as another request."""
    assert not parse("CONNECT a:443 HTTP/1.1", "Host: a", "Connection: keep-alive").keep_alive


def test_what_stays_behind() -> None:
    """Nothing of this hop, and nothing in our name, goes to the upstream."""
    head = get(
        *("Connection: keep-alive, X-Private", "X-Private: 1", "Keep-Alive: 5", "Proxy-Authorization: Basic eA=="),
        *("Proxy-Connection: keep-alive", "TE: trailers", "Trailer: a", "Upgrade: h2c", "HTTP2-Settings: AAA"),
        *("X-EVE-Verdict: ALLOW", "Accept: */*", "COOKIE: a=b"),
    )
    assert names(head) == [b"Accept", b"COOKIE"]
    assert head.accepts_trailers


def test_accepts_trailers() -> None:
    """Only TE: trailers of HTTP/1.1 asks for them."""
    assert not get().accepts_trailers
    assert not get("TE: gzip").accepts_trailers
    assert get("TE: gzip;q=0.5, Trailers").accepts_trailers
    assert not get("TE: trailers", line="GET http://example.com/ HTTP/1.0").accepts_trailers


def test_connection_must_not_name_the_framing() -> None:
    """A Content-Length that some peers would drop is refused."""
    line = "POST http://example.com/ HTTP/1.1"
    for name in ("Content-Length", "HOST", "transfer-encoding"):
        assert fault(line, "Host: example.com", f"Connection: close, {name}") == "connection-names-essential"


# -- websocket -----------------------------------------------------------------------------------------------------

UPGRADE = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")


def test_websocket() -> None:
    """The handshake is recognised and its own fields travel."""
    head = get(*UPGRADE)
    assert head.request.websocket
    assert names(head) == [b"Sec-WebSocket-Key"]
    assert get("Connection: upgrade", "Upgrade: h2c, WebSocket", "Content-Length: 0").request.websocket


@pytest.mark.parametrize(
    "head",
    [
        get("Upgrade: websocket"),
        get("Connection: upgrade", "Upgrade: h2c"),
        get("Connection: upgrade", "Upgrade: websocket/13"),
        get("Connection: upgrade", "Upgrade: notwebsocket"),
        get(*UPGRADE, "Content-Length: 1"),
        get(*UPGRADE, "Transfer-Encoding: chunked"),
        get(*UPGRADE, line="GET http://example.com/ HTTP/1.0"),
        get(*UPGRADE, line="POST http://example.com/ HTTP/1.1"),
        get(*UPGRADE, line="get http://example.com/ HTTP/1.1"),
    ],
)
def test_not_a_websocket(head: RequestHead) -> None:
    """Any other upgrade is stripped, and the request is an ordinary one."""
    assert not head.request.websocket
    assert not {b"upgrade", b"connection"} & {name for name, _ in head.request.headers}


# -- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_max_forwards(method: str) -> None:
    """One hop less for the next; 0 stays 0 and ends here (RFC 9110 section 7.6.2)."""
    line = f"{method} http://example.com/ HTTP/1.1"
    for given, sent in (("3", b"2"), ("1", b"0"), ("0", b"0")):
        head = get("A: b", f"max-FORWARDS: {given}", line=line)
        assert head.max_forwards == int(given)
        assert head.request.headers.fields[1] == (b"max-forwards", b"max-FORWARDS", sent)
    assert get(line=line).max_forwards is None
    for bad in ("", "-1", "1.0", "x", "1" * 11):
        assert fault(line, "Host: a", f"Max-Forwards: {bad}") == "max-forwards"
    assert fault(line, "Host: a", "Max-Forwards: 1", "Max-Forwards: 1") == "max-forwards"


def test_max_forwards_of_other_methods_is_just_a_field() -> None:
    """A recipient may ignore it there, and it is forwarded as it is."""
    head = get("Max-Forwards: x")
    assert head.max_forwards is None
    assert head.request.headers.get(b"max-forwards") == b"x"


def test_correlation() -> None:
    """The client's ids reach the certificate and still travel to the upstream."""
    head = get("X-Request-Id: r-1", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert (head.request.request_id, head.request.trace_id) == ("r-1", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert names(head) == [b"X-Request-Id", b"traceparent"]


def test_method_and_target_as_sent() -> None:
    """Nothing of the path is normalised: what is judged is what the upstream sees."""
    request = get(line="pUrGe http://example.com/a/../%2e%2E//b?c=%00&d HTTP/1.1").request
    assert (request.method, request.target) == ("pUrGe", b"/a/../%2e%2E//b?c=%00&d")
