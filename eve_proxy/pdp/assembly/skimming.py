"""The readings of a window inside a long text: those that a handful of calls make, in C, whatever the text holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eve_proxy.pdp.assembly.spelling import unseparated
from eve_proxy.pdp.lexicon import SEAM

_QUOTES: Final = (b'"', b"'", b"`")


def quoted(text: bytes) -> Iterator[bytes]:
    """What each kind of quote divides, in a row: what lies inside, and what lies between."""
    for quote in _QUOTES:
        if text.count(quote) > 3:
            parts = text.split(quote)
            yield SEAM.join(parts[1::2])
            yield SEAM.join(parts[::2])


def gapped(text: bytes) -> Iterator[bytes]:
    """The text with seams for its lines, for its marks and for its digits, and backwards."""
    yield text.replace(b"\n", SEAM)
    yield from unseparated(text, closely=False)


def turned(text: bytes) -> bytes:
    """The text from its end."""
    return text[::-1] if text.isascii() else text.decode("utf-8", "replace")[::-1].encode("utf-8", "replace")
