"""Request lines."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import Form
from eve_proxy.wire.request_line import parse_host, parse_request_line


def parse(line: str) -> tuple[str, Form, str | None, bytes, str]:
    method, form, authority, target, version = parse_request_line(line.encode())
    return method, form, None if authority is None else str(authority), target, version


def fault(line: str | bytes) -> tuple[str, int, str]:
    with pytest.raises(Malformed) as caught:
        parse_request_line(line.encode() if isinstance(line, str) else line)
    return caught.value.fault, caught.value.status, caught.value.detail


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://example.com/a?b", "example.com:80", b"/a?b"),
        ("http://example.com", "example.com:80", b"/"),
        ("http://example.com?a/b", "example.com:80", b"/?a/b"),
        ("http://example.com:81?", "example.com:81", b"/?"),
        ("HTTP://EXAMPLE.COM.:080/", "example.com:80", b"/"),
        ("http://example.com//x//", "example.com:80", b"//x//"),
        ("http://[2001:DB8::1]/", "[2001:db8::1]:80", b"/"),
        ("http://0x7f.1/", "127.0.0.1:80", b"/"),
        ("http://pastebin.com%2e/", "pastebin.com:80", b"/"),
        ("http://pastebin\u3002com/", "pastebin.com:80", b"/"),
        ("http://a/?x=http://b@c/", "a:80", b"/?x=http://b@c/"),
    ],
)
def test_absolute_form(url: str, authority: str, target: bytes) -> None:
    """Host and port are canonical, path and query as they were sent."""
    assert parse(f"GET {url} HTTP/1.1") == ("GET", Form.ABSOLUTE, authority, target, "1.1")


def test_options_without_path_means_the_server() -> None:
    """RFC 9112 section 3.2.4; with a query it is a resource after all."""
    assert parse("OPTIONS http://a HTTP/1.1")[3] == b"*"
    assert parse("OPTIONS http://a/ HTTP/1.1")[3] == b"/"
    assert parse("OPTIONS http://a?b HTTP/1.1")[3] == b"/?b"


def test_other_forms() -> None:
    """Authority-form for CONNECT, origin-form and * for whoever listens."""
    assert parse("CONNECT a:443 HTTP/1.0") == ("CONNECT", Form.AUTHORITY, "a:443", b"", "1.0")
    assert parse("CONNECT [::1]:8443 HTTP/1.1")[2] == "[::1]:8443"
    assert parse("GET /a//b?c HTTP/1.1") == ("GET", Form.ORIGIN, None, b"/a//b?c", "1.1")
    assert parse("OPTIONS * HTTP/1.1") == ("OPTIONS", Form.ASTERISK, None, b"*", "1.1")


def test_any_token_is_a_method_and_keeps_its_case() -> None:
    """Unknown methods are governed and forwarded; ``connect`` is one of them, and opens no tunnel."""
    assert parse("MKCALENDAR http://a/ HTTP/1.1")[0] == "MKCALENDAR"
    assert parse("get http://a/ HTTP/1.1")[0] == "get"
    assert parse("connect http://a/ HTTP/1.1")[1] is Form.ABSOLUTE
    assert fault("connect a:443 HTTP/1.1")[0] == "target"
    assert parse(f"{'M' * 32} http://a/ HTTP/1.1")[0] == "M" * 32
    assert fault(f"{'M' * 33} http://a/ HTTP/1.1")[:2] == ("method-too-long", 501)


def test_https_without_connect_says_what_to_do() -> None:
    """A client that sends https:// to a proxy learns why it is refused."""
    assert fault("GET https://a/ HTTP/1.1") == ("absolute-https", 400, "use CONNECT")
    assert fault("GET HTTPS://a/ HTTP/1.1")[0] == "absolute-https"


def test_details_repeat_no_content() -> None:
    """A password in a URL does not come back in an answer or a log."""
    for line in ("GET http://user:hunter2@a/ HTTP/1.1", "hunter2", "GET hunter2 HTTP/1.1", "GET /a#hunter2 HTTP/1.1"):
        assert "hunter2" not in fault(line)[2]


@pytest.mark.parametrize("value", [b"", b"a/b", b"a@b", b"a b", b"a,b", b"a:b", b"\xff", b"http://a"])
def test_host_values(value: bytes) -> None:
    """A Host that is not host and port is refused."""
    with pytest.raises(Malformed):
        parse_host(value, 80)


def test_host_default_port() -> None:
    """Without a port the scheme's stands."""
    assert str(parse_host(b"A.example.", 443)) == "a.example:443"
