"""A text cut into windows of comparison form: lower case, typographic punctuation made plain, bounded size.

Fragments are looked for within one window. Windows overlap, so that only an attack spread over more than the
overlap can fall between two of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import re2

from eve_proxy.pdp.lexicon import bytes_options

SIZE: Final = 64 << 10
OVERLAP: Final = 4 << 10
# Windows of the longest text that is all looked at closely.
CLOSELY: Final = 4

# UTF-8 of characters that separate or quote, and would otherwise count as letters.
_PLAIN: Final = (
    ("\u2018\u2019\u201a\u2032", b"'"),
    ("\u201c\u201d\u201e\u2033\u00ab\u00bb\u2039\u203a\u300c\u300d", b'"'),
    ("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad", b"-"),
    ("\u00b7\u2022\u2027\u22c5\u30fb\u2219\u25cf\u25e6\u2026", b"."),
    ("\u00a0\u2002\u2003\u2009\u200a\u202f\u3000", b" "),
    ("\u200b\u200c\u200d\u2060\ufeff", b"*"),
    ("\u2028\u2029", b"\n"),
    ("\u2192\u21d2\u27a1", b"->"),
    ("\u00d7\u2217\u2605\u2606\u00a6\u2502\u3001\uff0c\u2795\uff0b\u2295", b"+"),
    ("\u00a7\u00b0\u00b6\u00a9\u00ae\u20ac\u00a3\u00a5\u00bf\u00a1\u2020\u2021\u2190\u2191\u2193", b"*"),
)
# Grouped by their first two bytes: a text that lacks those is spared the rest.
_BY_LEAD: Final[dict[bytes, list[tuple[bytes, bytes]]]] = {}
for _characters, _instead in _PLAIN:
    for _character in _characters:
        _code = _character.encode()
        _BY_LEAD.setdefault(_code[:2] if len(_code) > 2 else _code[:1], []).append((_code, _instead))
_GUILLEMET: Final = "\u00ab".encode()
_CLOSING: Final = "\u00bb".encode()
_PICTOGRAPH: Final = b"\xf0\x9f"
_ANY_RUN: Final = re2.compile(rb"[A-Za-z0-9+/_-]{64}", bytes_options())
# Linear in re too: a run is only tried where it begins.
_RUN: Final = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64,}={0,2}")
# Of random base64 five in twelve letters are capitals, as many small, and two in thirteen digits.
_SHARE: Final = 5
_NOT_CAPITALS: Final = bytes([code for code in range(256) if not 0x41 <= code <= 0x5A])
_NOT_SMALL: Final = bytes([code for code in range(256) if not 0x61 <= code <= 0x7A])
_NOT_DIGITS: Final = bytes([code for code in range(256) if not 0x30 <= code <= 0x39])
_CONTROLS: Final = bytes(sorted(set(range(32)) - set(b"\t\n\r"))) + b"\x7f"


def plain(text: bytes) -> bytes:
    """``text`` in comparison form."""
    if text.isascii():
        return text.lower()
    if _GUILLEMET in text:
        # French sets a blank inside.
        text = text.replace(_GUILLEMET + b" ", b'"').replace(b" " + _CLOSING, b'"')
    for lead, characters in _BY_LEAD.items():
        if lead in text:
            for character, instead in characters:
                text = text.replace(character, instead)
    # Emoji separate like punctuation. What is left of each (two stray bytes) becomes U+FFFD, and that a gap.
    text = text.replace(_PICTOGRAPH, b"*").replace(b"\xef\xb8\x8f", b"")
    return text.decode("utf-8", "replace").replace("\ufffd", "*").lower().encode("utf-8", "replace")


def without_data(text: bytes) -> bytes:
    """``text`` with a blank for each long run of base64 or the like: among random letters every word stands somewhere.

    A run is data when small letters, capitals and digits are mixed in it.
    """
    return _RUN.sub(_blank, text) if _ANY_RUN.search(text) is not None else text


def _blank(hit: re.Match[bytes]) -> bytes:
    run = hit.group()
    capitals, small = len(run.translate(None, _NOT_CAPITALS)), len(run.translate(None, _NOT_SMALL))
    digits = len(run.translate(None, _NOT_DIGITS))
    return b" " if min(capitals, small, 4 * digits) > len(run) // _SHARE else run


def windows(text: bytes) -> Iterator[tuple[bool, bytes]]:
    """The windows of ``text``, as it stands, and whether each is looked at closely.

    Of a long text those are the first and the last: instructions begin or end what they are about. The others
    are skimmed, which costs a tenth.
    """
    starts = range(0, max(len(text) - OVERLAP, 1), SIZE - OVERLAP)
    for number, start in enumerate(starts):
        closely = len(starts) <= CLOSELY or number in (0, len(starts) - 1)
        yield closely, text[start : start + SIZE]


def is_binary(text: bytes) -> bool:
    """Whether over one byte in fifty is a control character: among random bytes every fragment stands somewhere."""
    return len(text) - len(text.translate(None, _CONTROLS)) > len(text) // 50
