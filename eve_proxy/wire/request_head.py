"""From the bytes of a request's head to the value that is judged (RFC 9110, RFC 9112, security.md)."""

from __future__ import annotations

from typing import Final

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Field
from eve_proxy.model.request import Request
from eve_proxy.wire.correlation import correlation
from eve_proxy.wire.events import CHUNKED, Form, Framing, RequestHead
from eve_proxy.wire.fields import split_head
from eve_proxy.wire.framing import declared_framing
from eve_proxy.wire.grammar import members
from eve_proxy.wire.hop_by_hop import REQUEST_DROPS, dropped, end_to_end
from eve_proxy.wire.request_line import RequestLine, parse_host, parse_request_line

# The fields whose values are looked at here.
_READ: Final = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"max-forwards",
        b"proxy-connection",
        b"te",
        b"traceparent",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    )
)
# RFC 9110 sections 9.3.6 and 9.3.8. What follows a CONNECT belongs to the tunnel: a body would have two readings.
_BODILESS: Final = frozenset(("CONNECT", "TRACE"))
_MOST_DIGITS: Final = 10
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_Values = dict[bytes, list[bytes]]


def parse_request_head(head: bytes, *, default_authority: Authority, scheme: str) -> RequestHead:
    """Read a request's head.

    :param head: its lines, each ended by CRLF, without the blank line.
    :param default_authority: where an HTTP/1.0 request in origin-form goes that has no ``Host``.
    :param scheme: of requests in origin-form: ``https`` inside an intercepted tunnel.
    :raises Malformed: with the fault's constant name.
    """
    first, fields = split_head(head)
    line = parse_request_line(first)
    method, form, _, target, version = line
    values: _Values = {}
    for lower, _, value in fields:
        if lower in _READ:
            values.setdefault(lower, []).append(value)
    get = values.get
    connect = method == "CONNECT"
    if connect or form is Form.ABSOLUTE:
        scheme = "https" if connect else "http"
    authority = _authority(line, get(b"host", []), scheme, default_authority)
    options = members(values[b"connection"]) if b"connection" in values else []
    framing = declared_framing(version, get(b"content-length", ()), get(b"transfer-encoding", ()))
    if method in _BODILESS and (framing is CHUNKED or framing.length):
        raise Malformed(f"{method.lower()}-with-body", f"{method} with a body")
    max_forwards = None
    if b"max-forwards" in values and method in ("OPTIONS", "TRACE"):
        max_forwards = _max_forwards(values[b"max-forwards"])
        fields = _one_hop_less(fields, max_forwards)
    request_id, trace_id = correlation(values)
    request = Request(
        method=method,
        scheme=scheme,
        authority=authority,
        target=target,
        headers=end_to_end(fields, dropped(REQUEST_DROPS, options)),
        websocket=b"upgrade" in values and _asks_websocket(line, framing, options, members(values[b"upgrade"])),
        request_id=request_id,
        trace_id=trace_id,
    )
    return RequestHead(
        request=request,
        form=form,
        framing=framing,
        version=version,
        keep_alive=not connect and _keep_alive(version, options, get(b"proxy-connection", ())),
        expect_continue=b"expect" in values and _expects_continue(version, framing, values[b"expect"]),
        accepts_trailers=b"te" in values and version == "1.1" and b"trailers" in members(values[b"te"]),
        max_forwards=max_forwards,
    )


def _authority(line: RequestLine, hosts: list[bytes], scheme: str, default_authority: Authority) -> Authority:
    """Absolute-form and CONNECT win over ``Host`` (RFC 9112 section 3.2.2); it must be valid all the same."""
    if len(hosts) > 1:
        raise Malformed("two-hosts", "more than one Host")
    if not hosts:
        if line.version == "1.1":
            raise Malformed("host-missing", "HTTP/1.1 without Host")
        return line.authority or default_authority
    try:
        host = parse_host(hosts[0], _DEFAULT_PORTS[scheme])
    except Malformed as error:
        raise Malformed("host-invalid", f"Host: {error.detail}") from error
    return line.authority or host


def _max_forwards(values: list[bytes]) -> int:
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > _MOST_DIGITS:
        raise Malformed("max-forwards", "Max-Forwards is not one decimal number")
    return int(values[0])


def _one_hop_less(fields: list[Field], max_forwards: int) -> list[Field]:
    value = b"%d" % max(0, max_forwards - 1)
    return [(lower, name, value if lower == b"max-forwards" else old) for lower, name, old in fields]


def _asks_websocket(line: RequestLine, framing: Framing, options: list[bytes], tokens: list[bytes]) -> bool:
    """RFC 6455 section 4.1. Other tokens of ``Upgrade`` are not passed on, and ``websocket/13`` is another token."""
    return (
        line.method == "GET"
        and line.version == "1.1"
        and b"upgrade" in options
        and b"websocket" in tokens
        and framing is not CHUNKED
        and not framing.length
    )


def _keep_alive(version: str, options: list[bytes], proxy_connection: list[bytes] | tuple[()]) -> bool:
    """RFC 9112 section 9.3.

    Of ``Proxy-Connection`` only ``close`` is heeded, which can do no harm: its ``keep-alive`` may come through an
    older proxy that does not know it and waits for our end of the connection (RFC 9112 appendix C.2.2).
    """
    if b"close" in options or (proxy_connection and b"close" in members(proxy_connection)):
        return False
    return version == "1.1" or b"keep-alive" in options


def _expects_continue(version: str, framing: Framing, values: list[bytes]) -> bool:
    """RFC 9110 section 10.1.1: nobody waits in HTTP/1.0, or without a body to send."""
    if any(member != b"100-continue" for member in members(values)):
        raise Malformed("expectation", "only Expect: 100-continue is understood", status=417)
    return version == "1.1" and bool(values[0]) and (framing is CHUNKED or bool(framing.length))
