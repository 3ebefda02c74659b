"""Fragments that already stand in the right order, with something between them.

Covers separators to strip (``c-y-a-n-i-d-e``), literals to concatenate (``"cy" + "anide"``), chunk lists, and
pieces named one after the other. The stream of tokens is searched for a term with a gap where no word has one;
then the text is asked how that gap looks, because honest text has such gaps too: a word hyphenated at the end of
a line, or two ordinary words that happen to spell a third.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, filterfalse, islice
from typing import Any, Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.vocabulary import GAP, Vocabulary, bytes_options
from eve_proxy.pdp.assembly.words import CONNECTORS, NOT_FRAGMENTS, unusual

# Different cuts of protected terms that one text may hold without being taken for an attack. Only somebody who floods
# this detector writes more; words hyphenated at the end of a line do not count.
MOST_CUTS: Final = 12
_INSTRUCTED: Final = Cue.PROSE | Cue.STRIP | Cue.CLOSE_UP
_CONNECTED = b"(?:(?:" + b"|".join(sorted(CONNECTORS)) + rb"|\d{1,3})" + GAP + b"+)"
# Punctuation, the hyphen at the end of a line apart.
_MARKED = rb"-|\s*(?:-[^0-9a-z\x80-\xff\r\n]|[^0-9a-z\x80-\xff\s-])" + GAP + b"*"
_MARKED_GAP: Final = b"(?:" + _MARKED + b")"
# The same, or connectors.
_TELLING_GAP: Final = b"(?:(?:" + _MARKED + b")" + _CONNECTED + b"*|" + GAP + b"+" + _CONNECTED + b"+)"
_QUOTE: Final = rb"[\"'`]"
_LITERAL_GAP: Final = _QUOTE + rb"\s*(?:\+|\.\.?|&|\|\||,|;|<<|~|\s|<>)\s*" + _QUOTE
# What somebody would be told to strip: neither blank nor the punctuation of a sentence.
_STRIPPABLE_GAP: Final = rb"[^0-9a-z\x80-\xff\s,.;:!?()\"'`]+"
_BLANKS: Final = rb"[ \t]+"
_LINE_END: Final = rb"-[ \t]*\r?\n\s*"
_OPTIONS = bytes_options(max_mem=1 << 20)
_OPTIONS.never_capture = True


def assembled_in_order(
    vocabulary: Vocabulary, text: bytes, streams: tuple[bytes, ...], cues: Cue, harmless: set[tuple[bytes, ...]]
) -> bool:
    """True when a term stands in one of the ``streams`` of ``text``, cut where nobody cuts it innocently.

    Words that belong apart count when they are all of the literals of an expression (``"nerve " + "agent"``).

    :param harmless: the cuts that were found in other windows and let pass; this one's are added.
    """
    if vocabulary.literals is not None and vocabulary.literals.search(text) is not None:
        return True
    for fragments in set(chain.from_iterable(islice(vocabulary.cuts_in(stream), 2 * MOST_CUTS) for stream in streams)):
        if _deliberate(text, fragments, cues):
            return True
        if fragments not in harmless and not _occurs(text, fragments, _LINE_END):
            harmless.add(fragments)
            if len(harmless) > MOST_CUTS:
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
    if not unusual(fragments) or min(map(len, fragments)) == 1 == len(fragments) - 1:
        return _occurs(text, fragments, _STRIPPABLE_GAP) or (
            len(fragments) > 2 and _occurs(text, fragments, _MARKED_GAP)
        )
    # Two words with a blank between: "the assassin ate". Only somebody who says to close the gap means more by it.
    return (
        len(fragments) > 2
        or _occurs(text, fragments, _TELLING_GAP)
        or (bool(cues & Cue.CLOSE_UP) and _occurs(text, fragments, _BLANKS))
    )


def _occurs(text: bytes, fragments: tuple[bytes, ...], gap: bytes) -> bool:
    return _pattern(fragments, gap).search(text) is not None


# A text has at most ``MOST_CUTS`` cuts that come here again, window after window.
@lru_cache(maxsize=8 * MOST_CUTS)
def _pattern(fragments: tuple[bytes, ...], gap: bytes) -> Any:
    return re2.compile(gap.join([re2.escape(fragment) for fragment in fragments]), _OPTIONS)
