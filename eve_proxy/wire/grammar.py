"""Byte classes of RFC 9110 section 5.6, in the form that ``bytes.translate`` deletes them in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

CRLF: Final = b"\r\n"
BLANK_LINE: Final = b"\r\n\r\n"
OWS: Final = b" \t"

ALPHANUMERIC: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX: Final = b"0123456789abcdefABCDEF"
# token = 1*tchar (RFC 9110 section 5.6.2)
TCHAR: Final = b"!#$%&'*+-.^_`|~" + ALPHANUMERIC
# VCHAR: what a request target is made of.
VCHAR: Final = bytes(range(0x21, 0x7F))
# What may stand on a line of a head: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5).
TEXT: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])


def is_token(raw: bytes) -> bool:
    """``raw`` is a token: not empty, tchar only."""
    return bool(raw) and not raw.translate(None, TCHAR)


def members(values: Sequence[bytes]) -> list[bytes]:
    """The comma-separated members of all ``values``, lower case, none empty (RFC 9110 section 5.6.1)."""
    if len(values) == 1 and b"," not in values[0]:
        only = values[0].strip(OWS).lower()
        return [only] if only else []
    found = [member.strip(OWS).lower() for value in values for member in value.split(b",")]
    return [member for member in found if member]
