"""The first line of a request: method, target in one of its four forms, version (RFC 9112 section 3)."""

from __future__ import annotations

from typing import Final, NamedTuple

from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import Form
from eve_proxy.wire.grammar import VCHAR, is_token

_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
# Only to save time: any token is a method.
_METHODS: Final = {
    name.encode(): name for name in ("GET", "POST", "CONNECT", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE")
}
# What a certificate has room for (evidence.md). Registered methods have at most 17 characters.
_LONGEST_METHOD: Final = 32


class RequestLine(NamedTuple):
    """A request line.

    :ivar authority: of the target; None for the forms that have none.
    :ivar target: origin-form path and query, or ``*``; empty for CONNECT.
    :ivar version: ``1.0`` or ``1.1``.
    """

    method: str
    form: Form
    authority: Authority | None
    target: bytes
    version: str


def parse_request_line(line: bytes) -> RequestLine:
    """Read a request line, without its CRLF and known to be free of control characters except HTAB.

    :raises Malformed: not exactly three parts; a method, version or target that is not acceptable.
    """
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[1]:
        raise Malformed("request-line", "a request line is METHOD SP target SP version")
    raw_method, target, raw_version = parts
    version = _VERSIONS.get(raw_version)
    if version is None:
        raise Malformed("version", "the version is neither HTTP/1.1 nor HTTP/1.0")
    method = _METHODS.get(raw_method) or _unusual_method(raw_method)
    if b"#" in target:
        raise Malformed("fragment", "a fragment in the request target")
    if method == "CONNECT":
        return RequestLine(method, Form.AUTHORITY, _authority(target, None), b"", version)
    if target[0] == 0x2F:  # "/"
        return RequestLine(method, Form.ORIGIN, None, _checked(target), version)
    if target == b"*":
        if method != "OPTIONS":
            raise Malformed("asterisk", "* is a target for OPTIONS only")
        return RequestLine(method, Form.ASTERISK, None, target, version)
    return _absolute(method, target, version)


def parse_host(value: bytes, default_port: int) -> Authority:
    """The authority that a ``Host`` field names.

    :raises Malformed: it is not one.
    """
    return _authority(value, default_port)


def _unusual_method(raw: bytes) -> str:
    if not is_token(raw):
        raise Malformed("method", "the method is not a token")
    if len(raw) > _LONGEST_METHOD:
        raise Malformed("method-too-long", f"the method has more than {_LONGEST_METHOD} characters", status=501)
    return raw.decode("ascii")


def _absolute(method: str, target: bytes, version: str) -> RequestLine:
    scheme, separator, rest = target.partition(b"://")
    scheme = scheme.lower()
    if not separator:
        raise Malformed("target", "the request target is neither a path nor an http:// URL")
    if scheme == b"https":
        raise Malformed("absolute-https", "use CONNECT")
    if scheme != b"http":
        raise Malformed("absolute-scheme", "the URL's scheme is not http")
    # The authority ends at the first "/" or "?" (RFC 3986 section 3.2); a backslash or a semicolon stays in it, and
    # is refused there.
    slash = rest.find(b"/")
    question = rest.find(b"?")
    if question >= 0 and (slash < 0 or question < slash):
        authority, path = rest[:question], b"/" + rest[question:]
    elif slash >= 0:
        authority, path = rest[:slash], rest[slash:]
    else:
        # RFC 9112 section 3.2.4: OPTIONS for the server as a whole.
        authority, path = rest, b"*" if method == "OPTIONS" else b"/"
    return RequestLine(method, Form.ABSOLUTE, _authority(authority, 80), _checked(path), version)


def _authority(raw: bytes, default_port: int | None) -> Authority:
    if b"@" in raw:
        raise Malformed("userinfo", "userinfo in an authority is not accepted; send credentials in a header")
    try:
        # Clients send ideographic dots and other international names raw; they are judged by what IDNA makes of them.
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("authority", "the host is not UTF-8") from error
    return parse_authority(text, default_port)


def _checked(target: bytes) -> bytes:
    if target.translate(None, VCHAR):
        raise Malformed("target-bytes", "a path or query must be printable ASCII; percent-code the rest")
    return target
