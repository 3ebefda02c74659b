"""From the bytes of a response's head to a value, as strictly as requests (RFC 9112 section 4)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import CHUNKED, UNTIL_CLOSE, ResponseHead
from eve_proxy.wire.fields import split_head
from eve_proxy.wire.framing import declared_framing, response_framing
from eve_proxy.wire.grammar import members
from eve_proxy.wire.hop_by_hop import RESPONSE_DROPS, dropped, end_to_end, names_connection_auth

_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
# The fields whose values are looked at here.
_READ: Final = frozenset(
    (
        b"connection",
        b"content-length",
        b"proxy-authenticate",
        b"transfer-encoding",
        b"upgrade",
        b"www-authenticate",
    )
)
_SWITCHING_PROTOCOLS: Final = 101


def parse_response_head(head: bytes, method: str, *, websocket: bool) -> ResponseHead:
    """Read the head of a response to ``method``.

    :param head: its lines, each ended by CRLF, without the blank line.
    :param websocket: the request asked for an upgrade to websocket; only then a 101 is acceptable.
    :raises Malformed: with the fault's constant name.
    """
    first, fields = split_head(head)
    version, status, reason = _status_line(first)
    values: dict[bytes, list[bytes]] = {}
    for lower, _, value in fields:
        if lower in _READ:
            values.setdefault(lower, []).append(value)
    get = values.get
    options = members(values[b"connection"]) if b"connection" in values else []
    declared = declared_framing(version, get(b"content-length", ()), get(b"transfer-encoding", ()))
    framing = response_framing(method, status, declared)
    keep_alive = b"close" not in options and (version == "1.1" or b"keep-alive" in options)
    challenges = get(b"www-authenticate", []) + get(b"proxy-authenticate", [])
    says_body = declared is CHUNKED or bool(declared.length)
    if says_body and status < 200:
        # RFC 9110 section 8.6: none may be announced, and a peer that sends it all the same would be misread.
        raise Malformed("informational-with-body", "a 1xx response that announces a body")
    if framing is UNTIL_CLOSE or (says_body and status == 204):
        keep_alive = False
    return ResponseHead(
        status=status,
        reason=reason,
        headers=end_to_end(fields, dropped(RESPONSE_DROPS, options)),
        framing=framing,
        version=version,
        keep_alive=keep_alive,
        connection_auth=bool(challenges) and names_connection_auth(challenges),
        upgrade=_upgrade(version, options, get(b"upgrade", ()), websocket) if status == _SWITCHING_PROTOCOLS else None,
        # A 204 must not repeat it (RFC 9110 section 8.6).
        content_length=None if status == 204 else declared.length,
    )


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


def _upgrade(version: str, options: list[bytes], values: list[bytes] | tuple[()], websocket: bool) -> bytes:
    if not websocket:
        raise Malformed("unexpected-101", "a 101 that nobody asked for")
    if version != "1.1" or b"upgrade" not in options or members(values) != [b"websocket"]:
        raise Malformed("mismatched-101", "a 101 that does not upgrade to exactly websocket")
    return b"websocket"
