"""From the bytes of a response's head to a value, as strictly as requests (RFC 9112 section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Headers
from eve_proxy.wire.events import CHUNKED, NO_BODY, UNTIL_CLOSE, ResponseHead
from eve_proxy.wire.fields import split_head
from eve_proxy.wire.framing import declared_framing, response_framing
from eve_proxy.wire.grammar import members
from eve_proxy.wire.hop_by_hop import NO_OPTIONS, RESPONSE, connection, names_connection_auth

_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
_SWITCHING_PROTOCOLS: Final = 101


# A decision service answers with the same head many times within a second, and so do many origins. Equal bytes have
# equal meaning; what is kept is bounded by the longest head, and only its exact bytes find it.
@lru_cache(maxsize=64)
def parse_response_head(head: bytes, method: str, *, websocket: bool) -> ResponseHead:
    """Read the head of a response to ``method``.

    :param head: its lines, each ended by CRLF, without the blank line.
    :param websocket: the request asked for an upgrade to websocket; only then a 101 is acceptable.
    :raises Malformed: with the fault's constant name.
    """
    first, rows, values = split_head(head, RESPONSE)
    version, status, reason = _status_line(first)
    declared = NO_BODY
    if b"content-length" in values or b"transfer-encoding" in values:
        declared = declared_framing(version, values.get(b"content-length", ()), values.get(b"transfer-encoding", ()))
    framing = response_framing(method, status, declared)
    options, unwanted = connection(values[b"connection"]) if b"connection" in values else NO_OPTIONS
    keep_alive = b"close" not in options and (version == "1.1" or b"keep-alive" in options)
    content_length = declared.length
    if framing is UNTIL_CLOSE:
        keep_alive = False
    elif framing is NO_BODY and (content_length or declared is CHUNKED):
        if status < 200:
            # RFC 9110 section 8.6: none may be announced, and a peer that sends it all the same would be misread.
            raise Malformed("informational-with-body", "a 1xx response that announces a body")
        if status == 204:
            keep_alive = False
    if status == 204:
        # It must not be repeated (RFC 9110 section 8.6).
        content_length = None
    connection_auth = False
    if b"www-authenticate" in values or b"proxy-authenticate" in values:
        connection_auth = names_connection_auth(
            values.get(b"www-authenticate", []) + values.get(b"proxy-authenticate", [])
        )
    upgrade = (
        _upgrade(version, options, values.get(b"upgrade", []), websocket) if status == _SWITCHING_PROTOCOLS else None
    )
    if unwanted:
        rows = [row for row in rows if row[0] not in unwanted]
    headers = Headers(fields=tuple(rows))
    return ResponseHead(status, reason, headers, framing, version, keep_alive, connection_auth, upgrade, content_length)


# Nearly every response begins with one of a few lines.
@lru_cache(maxsize=64)
def _status_line(line: bytes) -> tuple[str, int, bytes]:
    # The reason may be empty, and some servers leave out the space before it as well.
    raw_version, _, rest = line.partition(b" ")
    digits, _, reason = rest.partition(b" ")
    version = _VERSIONS.get(raw_version)
    if version is None:
        raise Malformed("status-version", "the status line does not begin with HTTP/1.1 or HTTP/1.0")
    if len(digits) != 3 or not digits.isdigit() or not 100 <= int(digits) <= 599:
        raise Malformed("status-code", "the status is not a number from 100 to 599")
    return version, int(digits), reason


def _upgrade(version: str, options: Sequence[bytes], values: list[bytes], websocket: bool) -> bytes:
    if not websocket:
        raise Malformed("unexpected-101", "a 101 that nobody asked for")
    if version != "1.1" or b"upgrade" not in options or members(values) != [b"websocket"]:
        raise Malformed("mismatched-101", "a 101 that does not upgrade to exactly websocket")
    return b"websocket"
