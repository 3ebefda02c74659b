"""Fragments in any order: named pieces, variables, shuffled chunks.

Two ways to see them. Definitions are substituted into the text (``a = "cy"``, ``b = "anide"``, ``a + b``), whatever
the syntax of the expression; and pieces that are quoted or labelled as such are tried for a term they can be put
together to. Both run only for terms whose fragments all occur as tokens, which is rare.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.in_order import without_connectors
from eve_proxy.pdp.assembly.vocabulary import Term, Vocabulary, bytes_options, segmentations
from eve_proxy.pdp.assembly.windows import stream_of, tokens_of
from eve_proxy.pdp.assembly.words import ORDINARY

_MOST_DEFINITIONS: Final = 512
_MOST_PIECES: Final = 128
_MOST_WAYS: Final = 8
_OPTIONS = bytes_options(max_mem=16 << 20)

_NOUN = (
    rb"(?:part|piece|chunk|fragment|half|word|string|token|segment|syllable|section|one|bit|variable|value|letter|key"
    rb"|block|item|line|message|entry|element)"
)
# name, what binds, and a value that is quoted or one word: a = "cy" / let A be cy / the 2nd piece is "anide" / 3) ide
_DEFINITION = re2.compile(
    rb"([a-z_][0-9a-z_]{0,23}|\d{1,3})(?:st|nd|rd|th)?[\"'`\])}]{0,3}(?: "
    + _NOUN
    + rb")?\s{0,3}(?::=|=>|->|=|:|<-|[.)]"
    rb"|\b(?:is|be|as|to|equals|holds|contains|means|stores|stands for|denotes?|represents?)\b)\s{0,3}"
    rb"(?:(?:the |an? )?(?:string|letters?|text|word|fragment|characters|syllable|value|prefix|suffix) ?:?)?\s{0,2}"
    rb"(?:[\"'`]([^\"'`\n]{1,48})[\"'`]|([0-9a-z\x80-\xff]{1,32}))",
    _OPTIONS,
)
_RANKS: Final = {
    name: rank
    for rank, names in enumerate((
        "0 zero", "1 first one i", "2 second two ii", "3 third three iii", "4 fourth four iv", "5 fifth five v",
        "6 sixth six vi", "7 seventh seven vii", "8 eighth eight viii", "9 ninth nine ix", "10 tenth ten x",
    ))
    for name in names.encode().split()
}  # fmt: skip

_QUOTED = (rb"[\"'`]", rb"[\"'`]")
_LABELLED = (
    rb"(?:[\"'`(\[{<|*_=:>#]\s*|\b(?:is|be|as|to|means|equals|holds|contains|stores|says?|letters|piece|part|fragment|chunk"
    rb"|half|string|token|syllable|word|segment|take|add|append|attach|with|then|plus|and|by|after|before|prefix|suffix"
    rb"|start|use|write|put|have|got|get|remember|next"
    rb"|finally|last|first|second|third|from|of|prepend|combine|join)[ :]+"
    rb"|\n\s*(?:[-*.+]+|\d{1,3}[.):\]])?\s*)",
    rb"(?:[\"'`.,;:!?)\]}>|*_\s]|$)",
)


def assembled_from_pieces(vocabulary: Vocabulary, text: bytes, tokens: list[bytes], cues: Cue) -> bool:
    """True when the named, quoted or labelled pieces of ``text`` make a term."""
    if not cues & (Cue.PROSE | Cue.CODE | Cue.STRIP):
        return False
    present = vocabulary.fragments.intersection(tokens)
    suspects = vocabulary.suspects(present)
    if not suspects:
        return False
    return _substituted(vocabulary, text, tokens) or _labelled(suspects, present, text, cues)


def _substituted(vocabulary: Vocabulary, text: bytes, tokens: list[bytes]) -> bool:
    """Put the values in the place of the names, wherever a name stands, and see what reads as a term now."""
    values: dict[bytes, bytes] = {}
    for number, match in enumerate(_DEFINITION.finditer(text)):
        name, quoted, word = match.groups(b"")
        values[name] = b" ".join(tokens_of(quoted or word))
        if number >= _MOST_DEFINITIONS:
            break
    if len(values) < 2:
        return False
    expanded = [values.get(token, token) for token in tokens]
    ranked = sorted((rank, value) for name, value in values.items() if (rank := _rank(name)) is not None)
    before = (stream_of(tokens), stream_of(without_connectors(tokens)))
    after = (
        stream_of(expanded),
        stream_of(without_connectors(expanded)),
        stream_of([value for _, value in ranked]),
    )
    return bool(_assembled_in(vocabulary, after) - _assembled_in(vocabulary, before))


def _rank(name: bytes) -> int | None:
    if name in _RANKS:
        return _RANKS[name]
    digits = name.lstrip(b"abcdefghijklmnopqrstuvwxyz_")
    return int(digits) if digits.isdigit() else None


def _assembled_in(vocabulary: Vocabulary, streams: tuple[bytes, ...]) -> set[bytes]:
    """The terms that stand in the streams in any cut, except from ordinary words alone where no word is cut."""
    found: set[bytes] = set()
    for stream in streams:
        for pattern in (vocabulary.cut, vocabulary.whole):
            rest = stream
            while (hit := pattern.search(rest)) is not None:
                found.add(hit.group().replace(b" ", b""))
                rest = rest.replace(hit.group(), b"  ")
    return found


def _labelled(suspects: list[Term], present: frozenset[bytes], text: bytes, cues: Cue) -> bool:
    """Whether a term's fragments are all quoted (or, where prose instructs, labelled) pieces of this text."""
    wanted = {piece for term in suspects for piece in present if piece in term.joined}
    ordered = tuple(sorted(wanted, key=lambda piece: (-len(piece), piece))[:_MOST_PIECES])
    before, after = _LABELLED if cues & (Cue.PROSE | Cue.STRIP) else _QUOTED
    hits = _piece_set(ordered, before, after).Match(text)
    pieces = frozenset([ordered[index] for index in hits or ()])
    ways = ((term, way) for term in suspects for way in segmentations(term, pieces, most=_MOST_WAYS))
    return any(_telling(term, way) for term, way in ways)


@lru_cache(maxsize=8)
def _piece_set(pieces: tuple[bytes, ...], before: bytes, after: bytes) -> Any:
    """One scan that tells which of ``pieces`` stand between ``before`` and ``after``, however often."""
    made = re2.Set.SearchSet(_OPTIONS)
    for piece in pieces:
        made.Add(before + re2.escape(piece) + after)
    made.Compile()
    return made


def _telling(term: Term, way: tuple[bytes, ...]) -> bool:
    """Whether these fragments can hardly stand in one text by chance."""
    if ORDINARY.issuperset(way) or len(term.letters) < 2 * len(way):
        return False
    if sum([len(piece) == 1 for piece in way]) > 1 or max(map(len, way)) < 3:
        return False
    ends, position = set(), 0
    for piece in way[:-1]:
        position += len(piece.decode("utf-8", "replace"))
        ends.add(position)
    return not term.natural.issuperset(ends)
