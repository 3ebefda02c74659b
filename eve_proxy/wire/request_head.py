"""From the bytes of a request's head to the value that is judged (RFC 9110, RFC 9112, security.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Field, Headers
from eve_proxy.model.request import Request
from eve_proxy.wire.correlation import correlation
from eve_proxy.wire.events import CHUNKED, NO_BODY, Framing, RequestHead
from eve_proxy.wire.fields import split_head
from eve_proxy.wire.framing import declared_framing
from eve_proxy.wire.grammar import members
from eve_proxy.wire.hop_by_hop import NO_OPTIONS, REQUEST, connection
from eve_proxy.wire.request_line import parse_host, parse_request_line

# RFC 9110 sections 9.3.6 and 9.3.8. What follows a CONNECT belongs to the tunnel: a body would have two readings.
_BODILESS: Final = frozenset(("CONNECT", "TRACE"))
_MOST_DIGITS: Final = 10
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_request_head(head: bytes, *, default_authority: Authority, scheme: str) -> RequestHead:
    """Read a request's head.

    :param head: its lines, each ended by CRLF, without the blank line.
    :param default_authority: where an HTTP/1.0 request in origin-form goes that has no ``Host``.
    :param scheme: of requests in origin-form: ``https`` inside an intercepted tunnel.
    :raises Malformed: with the fault's constant name.
    """
    first, rows, values = split_head(head, REQUEST)
    method, form, authority, target, version = parse_request_line(first)
    connect = method == "CONNECT"
    if connect or authority is not None:
        scheme = "https" if connect else "http"
    # Absolute-form and CONNECT win over Host (RFC 9112 section 3.2.2); it must be valid all the same.
    if b"host" in values:
        host = _host(values[b"host"], scheme)
        authority = authority or host
    elif version == "1.1":
        raise Malformed("host-missing", "HTTP/1.1 without Host")
    framing = NO_BODY
    if b"content-length" in values or b"transfer-encoding" in values:
        framing = declared_framing(version, values.get(b"content-length", ()), values.get(b"transfer-encoding", ()))
        if method in _BODILESS and (framing is CHUNKED or framing.length):
            raise Malformed(f"{method.lower()}-with-body", f"{method} with a body")
    options, unwanted = connection(values[b"connection"]) if b"connection" in values else NO_OPTIONS
    keep_alive = not connect and b"close" not in options and (version == "1.1" or b"keep-alive" in options)
    # Of Proxy-Connection only "close" is heeded, which can do no harm: its "keep-alive" may come through an older
    # proxy that does not know it and waits for our end of the connection (RFC 9112 appendix C.2.2).
    if keep_alive and b"proxy-connection" in values:
        keep_alive = b"close" not in members(values[b"proxy-connection"])
    max_forwards = None
    if b"max-forwards" in values and method in ("OPTIONS", "TRACE"):
        max_forwards = _max_forwards(values[b"max-forwards"])
        rows = _one_hop_less(rows, max_forwards)
    request_id = trace_id = None
    if b"x-request-id" in values or b"traceparent" in values:
        request_id, trace_id = correlation(values)
    if unwanted:
        rows = [row for row in rows if row[0] not in unwanted]
    websocket = b"upgrade" in values and _asks_websocket(method, version, framing, options, members(values[b"upgrade"]))
    request = Request(
        method=method,
        scheme=scheme,
        authority=authority or default_authority,
        target=target,
        headers=Headers(fields=tuple(rows)),
        websocket=websocket,
        request_id=request_id,
        trace_id=trace_id,
    )
    expect_continue = b"expect" in values and _expects_continue(version, framing, values[b"expect"])
    accepts_trailers = b"te" in values and version == "1.1" and b"trailers" in members(values[b"te"])
    return RequestHead(request, form, framing, version, keep_alive, expect_continue, accepts_trailers, max_forwards)


def _host(values: list[bytes], scheme: str) -> Authority:
    if len(values) > 1:
        raise Malformed("two-hosts", "more than one Host")
    try:
        return parse_host(values[0], _DEFAULT_PORTS[scheme])
    except Malformed as error:
        raise Malformed("host-invalid", f"Host: {error.detail}") from error


def _max_forwards(values: list[bytes]) -> int:
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > _MOST_DIGITS:
        raise Malformed("max-forwards", "Max-Forwards is not one decimal number")
    return int(values[0])


def _one_hop_less(rows: list[Field], max_forwards: int) -> list[Field]:
    value = b"%d" % max(0, max_forwards - 1)
    return [(lower, name, value if lower == b"max-forwards" else old) for lower, name, old in rows]


def _asks_websocket(method: str, version: str, framing: Framing, options: Sequence[bytes], tokens: list[bytes]) -> bool:
    """RFC 6455 section 4.1. Other tokens of ``Upgrade`` are not passed on, and ``websocket/13`` is another token."""
    return (
        method == "GET"
        and version == "1.1"
        and b"upgrade" in options
        and b"websocket" in tokens
        and framing is not CHUNKED
        and not framing.length
    )


def _expects_continue(version: str, framing: Framing, values: list[bytes]) -> bool:
    """RFC 9110 section 10.1.1: nobody waits in HTTP/1.0, or without a body to send."""
    if any(member != b"100-continue" for member in members(values)):
        raise Malformed("expectation", "only Expect: 100-continue is understood", status=417)
    return version == "1.1" and bool(values[0]) and (framing is CHUNKED or bool(framing.length))
