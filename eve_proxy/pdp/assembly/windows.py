"""A text cut into windows of comparison form: lower case, typographic punctuation made plain, bounded size.

Fragments are looked for within one window. Windows overlap, so that only an attack spread over more than the
overlap can fall between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eve_proxy.pdp.assembly.vocabulary import TO_GAPS

SIZE: Final = 64 << 10
OVERLAP: Final = 8 << 10

# UTF-8 of characters that separate or quote, and would otherwise count as letters.
_PLAIN: Final = tuple(
    (character.encode(), plain)
    for characters, plain in (
        ("\u2018\u2019\u201a\u2032", b"'"),
        ("\u201c\u201d\u201e\u2033\u00ab\u00bb\u2039\u203a\u300c\u300d", b'"'),
        ("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad", b"-"),
        ("\u00b7\u2022\u2027\u22c5\u30fb\u2219\u25cf\u25e6", b"."),
        ("\u2026", b"..."),
        ("\u00a0\u2002\u2003\u2009\u200a\u202f\u3000", b" "),
        ("\u200b\u200c\u200d\u2060\ufeff\u2028\u2029", b"\n"),
        ("\u2190\u2191\u2192\u2193\u21d2\u27a1", b"->"),
        ("\u00d7\u2217\u2605\u2606\u2666\u00a6\u2502\u3001\uff0c\u2795\uff0b\u29fa\u2295", b"+"),
        ("\u00a7\u00b0\u00b6\u00a9\u00ae\u20ac\u00a3\u00a5\u00bf\u00a1\u2020\u2021", b"*"),
    )
    for character in characters
)


def plain(text: bytes) -> bytes:
    """``text`` in comparison form."""
    if text.isascii():
        return text.lower()
    for character, instead in _PLAIN:
        if character in text:
            text = text.replace(character, instead)
    # Emoji and pictographs (four bytes from F0 9F, with variation selectors) separate like punctuation.
    if b"\xf0\x9f" in text:
        text = b"*".join([part if index == 0 else part[2:] for index, part in enumerate(text.split(b"\xf0\x9f"))])
    text = text.replace(b"\xef\xb8\x8f", b"")
    return text.decode("utf-8", "replace").lower().encode("utf-8", "replace")


def windows(text: bytes) -> Iterator[bytes]:
    """The windows of ``text``, in comparison form."""
    if len(text) <= SIZE:
        yield plain(text)
        return
    for start in range(0, max(len(text) - OVERLAP, 1), SIZE - OVERLAP):
        yield plain(text[start : start + SIZE])


def tokens_of(text: bytes) -> list[bytes]:
    """The tokens of a text in comparison form."""
    return text.translate(TO_GAPS).split()


def stream_of(tokens: list[bytes]) -> bytes:
    """The stream of ``tokens`` (see ``vocabulary``)."""
    return b" " + b" ".join(tokens) + b" "
