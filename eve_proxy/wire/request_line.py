"""The first line of a request: method, target in one of its four forms, version (RFC 9112 section 3)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import Form
from eve_proxy.wire.grammar import VCHAR, is_token

_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
# Only to save time: any token is a method.
_METHODS: Final = {
    name.encode(): name for name in ("GET", "POST", "CONNECT", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE")
}
# Bare names: looking a member up in its class takes longer than comparing it.
_ABSOLUTE, _AUTHORITY, _ORIGIN, _ASTERISK = Form
# What a certificate has room for (evidence.md). Registered methods have at most 17 characters.
_LONGEST_METHOD: Final = 32

# Method, form, authority (None for the forms that have none), target (origin-form path and query, or ``*``; empty for
# CONNECT), version (``1.0`` or ``1.1``).
RequestLine: TypeAlias = tuple[str, Form, Authority | None, bytes, str]


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
        return method, _AUTHORITY, parse_host(target, None), b"", version
    form, authority = _ORIGIN, None
    if target[0] != 0x2F:  # "/"
        if target == b"*":
            if method != "OPTIONS":
                raise Malformed("asterisk", "* is a target for OPTIONS only")
            return method, _ASTERISK, None, target, version
        form = _ABSOLUTE
        authority, target = _absolute(method, target)
    if target.translate(None, VCHAR):
        raise Malformed("target-bytes", "a path or query must be printable ASCII; percent-code the rest")
    return method, form, authority, target, version


@lru_cache(maxsize=1024)
def parse_host(raw: bytes, default_port: int | None) -> Authority:
    """The authority that a ``Host`` field or a request target names.

    :raises Malformed: it is not one.
    """
    if b"@" in raw:
        raise Malformed("userinfo", "userinfo in an authority is not accepted; send credentials in a header")
    try:
        # Clients send ideographic dots and other international names raw; they are judged by what IDNA makes of them.
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("authority", "the host is not UTF-8") from error
    return parse_authority(text, default_port)


def _unusual_method(raw: bytes) -> str:
    if not is_token(raw):
        raise Malformed("method", "the method is not a token")
    if len(raw) > _LONGEST_METHOD:
        raise Malformed("method-too-long", f"the method has more than {_LONGEST_METHOD} characters", status=501)
    return raw.decode("ascii")


def _absolute(method: str, target: bytes) -> tuple[Authority, bytes]:
    """The authority of an absolute-form target, and the path and query after it."""
    if target[:7].lower() != b"http://":
        raise _not_absolute(target)
    # The authority ends at the first "/" or "?" (RFC 3986 section 3.2); a backslash or a semicolon stays in it, and
    # is refused there.
    rest = target[7:]
    authority, slash, path = rest.partition(b"/")
    if b"?" in authority:
        authority, _, path = rest.partition(b"?")
        return parse_host(authority, 80), b"/?" + path
    if slash:
        return parse_host(authority, 80), b"/" + path
    # RFC 9112 section 3.2.4: OPTIONS for the server as a whole.
    return parse_host(authority, 80), b"*" if method == "OPTIONS" else b"/"


def _not_absolute(target: bytes) -> Malformed:
    scheme, separator, _ = target.partition(b"://")
    if not separator:
        return Malformed("target", "the request target is neither a path nor an http:// URL")
    if scheme.lower() == b"https":
        return Malformed("absolute-https", "use CONNECT")
    return Malformed("absolute-scheme", "the URL's scheme is not http")
