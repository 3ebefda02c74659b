"""The detector of pillar 128b: something asks for decoding, and decoding gives a protected term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import re2

from eve_proxy.pdp.assembly.vocabulary import TO_GAPS, Vocabulary
from eve_proxy.pdp.assembly.windows import is_binary
from eve_proxy.pdp.ordinal.encodings import decoded, listed, shifted, substituted
from eve_proxy.pdp.ordinal.intent import asks_to_decode
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import full_text, glance, percent_decoded, with_escapes_read

LAYERS: Final = 3
_SIZE: Final = 256 << 10
_OVERLAP: Final = 8 << 10
_CIPHER = re2.compile(rb"(?i)rot|caesar|cipher|cypher|shift|atbash|backward|revers|decod|decrypt|encod|encrypt|13")
_SHIFT = re2.compile(rb"(?i)caesar|shift|rotat|rot[ -]?[0-9]|cipher|cypher")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalQuine:
    """Looks for a protected term in number lists and encodings that the text asks to decode."""

    vocabulary: Vocabulary

    def found_in(self, question: Question) -> bool:
        """True when the body or the query of ``question`` carries an encoded term. Pure and linear."""
        _, mark, query = question.path.partition(b"?")
        if mark and len(query) > 11 and self._in_text(percent_decoded(query), lambda text: text):
            return True
        body, content_type = question.body, question.content_type
        if not body:
            return False
        return self._in_text(glance(body, content_type), lambda _: full_text(body, content_type))

    def _in_text(self, seen: bytes, read: Callable[[bytes], bytes]) -> bool:
        if not asks_to_decode(seen):
            return False
        text = read(seen)
        if b"\\" in text or b"&#" in text:
            # Escapes that stay after JSON was read are a list of code points like any other.
            text = with_escapes_read(text) + b"\n" + text
        return any(self._in_window(window) for window in _windows(text))

    def _in_window(self, text: bytes) -> bool:
        if is_binary(text):
            return False
        before = self._whole(text)
        if _CIPHER.search(text) and any(self._new(found, before) for found in substituted(text)):
            return True
        if _SHIFT.search(text) and any(self._new(found, before) for found in shifted(text)):
            return True
        layer = [text]
        for _ in range(LAYERS):
            rows = [row for part in layer for row in listed(part)]
            if any(self._run(row) or self._run(row[::-1]) for row in rows):
                return True
            layer = rows + [found for part in layer for found in decoded(part) if len(found) > 4]
            if any(self._new(found, before) for part in layer for found in (part, part[::-1], *_turned(part))):
                return True
            layer = [part for part in layer if _may_hold_more(part)]
        return False

    def _run(self, row: bytes) -> bool:
        # Lists have no boundaries of their own; words that belong apart may have a blank.
        return self.vocabulary.run.search(row.lower().replace(b" ", b"")) is not None

    def _new(self, text: bytes, before: frozenset[bytes]) -> bool:
        # What already stands in the clear is hidden by nobody.
        return not self._whole(text) <= before

    def _whole(self, text: bytes) -> frozenset[bytes]:
        stream = b" " + b" ".join(text.lower().translate(TO_GAPS).split()) + b" "
        return self.vocabulary.whole_in(stream)


def _windows(text: bytes) -> Iterator[bytes]:
    starts = range(0, max(len(text) - _OVERLAP, 1), _SIZE - _OVERLAP)
    # Decoding is the dearest look there is. Of long texts it sees the beginning and the end (docs/policy.md).
    for start in starts if len(starts) <= 3 else (*starts[:2], starts[-1]):
        yield text[start : start + _SIZE]


def _turned(text: bytes) -> Iterator[bytes]:
    if len(text) <= 4096:
        yield from list(substituted(text))[:2]


_ENCODED = re2.compile(
    rb"[A-Za-z0-9+/_=-]{7}|(?:[0-9]{1,3}[^0-9]{1,8}){4}|(?:[0-9a-fA-F]{2}[^0-9a-zA-Z]{0,3}){5}|%[0-9a-fA-F]{2}"
)


def _may_hold_more(text: bytes) -> bool:
    return _ENCODED.search(text) is not None
