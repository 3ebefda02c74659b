"""Fragments that already stand in the right order, with something between them.

Covers separators to strip (``c-y-a-n-i-d-e``), literals to concatenate (``"cy" + "anide"``), chunk lists, and
pieces named one after the other. The stream of tokens is searched for a term with a gap where no word has one;
then the text is asked how that gap looks, because honest text has such gaps too: a word hyphenated at the end of
a line, or two ordinary words that happen to spell a third.
"""

from __future__ import annotations

from itertools import chain, filterfalse
from typing import Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.vocabulary import GAP, Vocabulary, bytes_options
from eve_proxy.pdp.assembly.words import CONNECTORS, NOT_FRAGMENTS, unusual

# Different cuts of protected terms that are looked at in one window. A text that holds more is taken for an attack:
# only somebody who floods this detector writes that many.
MOST_CUTS: Final = 32
_INSTRUCTED: Final = Cue.PROSE | Cue.STRIP | Cue.CLOSE_UP
# Between fragments: punctuation and blanks, with connectors and numbers in it.
_CONNECTED = b"(?:(?:" + b"|".join(sorted(CONNECTORS)) + rb"|\d{1,3})" + GAP + b"+)"
_ANY_GAP: Final = GAP + b"+" + _CONNECTED + b"{0,8}"
# The same with more than blanks in it, the hyphen at the end of a line apart.
_TELLING_GAP: Final = (
    rb"(?:-|\s*(?:-[^0-9a-z\x80-\xff\r\n]|[^0-9a-z\x80-\xff\s-])" + GAP + b"*" + _CONNECTED + b"{0,8}"
    b"|" + GAP + b"+" + _CONNECTED + b"{1,8})"
)
_QUOTE: Final = rb"[\"'`]"
_LITERAL_GAP: Final = _QUOTE + rb"\s*(?:\+|\.\.?|&|\|\||,|;|<<|~|\s|<>)\s*" + _QUOTE
# What somebody would be told to strip: neither blank nor the punctuation of a sentence.
_STRIPPABLE_GAP: Final = rb"[^0-9a-z\x80-\xff\s,.;:!?()\"'`]+"
_OPTIONS = bytes_options(max_mem=8 << 20)
_OPTIONS.never_capture = True


def assembled_in_order(vocabulary: Vocabulary, text: bytes, streams: tuple[bytes, ...], cues: Cue) -> bool:
    """True when a term stands in one of the ``streams`` of ``text``, cut where nobody cuts it innocently.

    Words that belong apart count when they are all of the literals of an expression (``"nerve " + "agent"``).
    """
    if vocabulary.literals is not None and vocabulary.literals.search(text) is not None:
        return True
    looked_at: set[tuple[bytes, ...]] = set()
    for fragments in chain.from_iterable(map(vocabulary.cuts_in, streams)):
        if fragments not in looked_at:
            looked_at.add(fragments)
            if len(looked_at) > MOST_CUTS or _deliberate(text, fragments, cues):
                return True
    return False


def without_connectors(tokens: list[bytes]) -> list[bytes]:
    """``tokens`` without labels, numbers and the words of the instruction."""
    return list(filterfalse(NOT_FRAGMENTS.__contains__, tokens))


def _deliberate(text: bytes, fragments: tuple[bytes, ...], cues: Cue) -> bool:
    if max(map(len, fragments)) == 1:
        # Spelled out. Five single letters in a row can be the parameters of a minified function.
        return bool(cues & _INSTRUCTED) or len(fragments) > 5 or _occurs(text, fragments, _LITERAL_GAP)
    if _occurs(text, fragments, _LITERAL_GAP):
        return True
    if not cues & _INSTRUCTED:
        # What code does with names is worked out in ``pieces``.
        return False
    several = len(fragments) > 2
    if not unusual(fragments) or (not several and min(map(len, fragments)) == 1):
        return _occurs(text, fragments, _STRIPPABLE_GAP) or (several and _occurs(text, fragments, _TELLING_GAP))
    # Two words with a blank between: "the assassin ate". Only somebody who says to close the gap means more by it.
    return _occurs(text, fragments, _ANY_GAP if several else _TELLING_GAP) or (
        bool(cues & Cue.CLOSE_UP) and _occurs(text, fragments, rb"[ \t]+")
    )


def _occurs(text: bytes, fragments: tuple[bytes, ...], gap: bytes) -> bool:
    pattern = gap.join([re2.escape(fragment) for fragment in fragments])
    return re2.compile(pattern, _OPTIONS).search(text) is not None
