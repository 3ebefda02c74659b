"""Fragments that already stand in the right order, with something between them.

Covers separators to strip (``c-y-a-n-i-d-e``), literals to concatenate (``"cy" + "anide"``), chunk lists, and
pieces named one after the other. The stream of tokens is searched for a term with a gap where no word has one;
then the text is asked how that gap looks, because honest text has such gaps too: a word hyphenated at the end of
a line, or two ordinary words that happen to spell a third.
"""

from __future__ import annotations

from typing import Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.vocabulary import GAP, Vocabulary, bytes_options
from eve_proxy.pdp.assembly.words import CONNECTORS, ORDINARY

# Different cuts of protected terms that are looked at in one window. A text that holds more is taken for an attack:
# only somebody who floods this detector writes that many.
MOST_CUTS: Final = 32
_INSTRUCTED: Final = Cue.PROSE | Cue.STRIP
# Between fragments: punctuation, with connectors and numbers in it.
_CONNECTOR = b"(?:" + b"|".join(sorted(CONNECTORS)) + rb"|\d{1,3})"
_ANY_GAP: Final = GAP + b"+(?:" + _CONNECTOR + GAP + b"+){0,8}"
# The same, but not the hyphen at the end of a line.
_GAP_NOT_WRAP: Final = (
    rb"(?:(?:-[^0-9a-z\x80-\xff\r\n]|[^-0-9a-z\x80-\xff])" + GAP + b"*|-)(?:" + _CONNECTOR + GAP + b"+){0,8}"
)
_QUOTE: Final = rb"[\"'`]"
_LITERAL_GAP: Final = _QUOTE + rb"\s*(?:\+|\.\.?|&|\|\||,|;|<<|~|\s|<>)\s*" + _QUOTE
# What somebody would be told to strip: neither blank nor the punctuation of a sentence.
_STRIPPABLE_GAP: Final = rb"[^0-9a-z\x80-\xff\s,.;:!?()\"'`]+"
_OPTIONS = bytes_options(max_mem=8 << 20)
_OPTIONS.never_capture = True


def assembled_in_order(vocabulary: Vocabulary, text: bytes, streams: tuple[bytes, ...], cues: Cue) -> bool:
    """True when a term stands in one of the ``streams`` of ``text``, cut where nobody cuts it innocently."""
    looked_at: set[tuple[bytes, ...]] = set()
    for stream in streams:
        while (hit := vocabulary.cut.search(stream)) is not None:
            found = hit.group()
            fragments = tuple(found.split())
            if fragments not in looked_at:
                looked_at.add(fragments)
                if len(looked_at) > MOST_CUTS or _deliberate(text, fragments, cues):
                    return True
            # Every other occurrence goes with this one, in one call: repeating a decoy gains nothing.
            stream = stream.replace(found, b"  ")
    return False


def without_connectors(tokens: list[bytes]) -> list[bytes]:
    """``tokens`` without labels, numbers and the words of the instruction."""
    return [token for token in tokens if token not in CONNECTORS and not token.isdigit()]


def _deliberate(text: bytes, fragments: tuple[bytes, ...], cues: Cue) -> bool:
    if max(map(len, fragments)) == 1:
        # Spelled out. Five single letters in a row can be the parameters of a minified function.
        return bool(cues & _INSTRUCTED) or len(fragments) > 5 or _occurs(text, fragments, _LITERAL_GAP)
    if _occurs(text, fragments, _LITERAL_GAP):
        return True
    if ORDINARY.issuperset(fragments):
        return bool(cues & _INSTRUCTED) and (
            _occurs(text, fragments, _STRIPPABLE_GAP)
            or (len(fragments) > 2 and _occurs(text, fragments, _GAP_NOT_WRAP))
        )
    if len(fragments) == 2:
        return _occurs(text, fragments, _GAP_NOT_WRAP)
    return _occurs(text, fragments, _ANY_GAP)


def _occurs(text: bytes, fragments: tuple[bytes, ...], gap: bytes) -> bool:
    pattern = gap.join([re2.escape(fragment) for fragment in fragments])
    return re2.compile(pattern, _OPTIONS).search(text) is not None
