"""Fragments in any order: named pieces, variables, shuffled chunks.

Two ways to see them. Definitions are substituted into the text (``a = "cy"``, ``b = "anide"``, ``a + b``), whatever
the syntax of the expression; and pieces that are quoted or labelled as such are tried for a term they can be put
together to. Both run only for terms whose fragments all occur as tokens, which is rare.
"""

from __future__ import annotations

from itertools import chain, compress, islice
from typing import Any, Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.in_order import MOST_CUTS, without_connectors
from eve_proxy.pdp.assembly.vocabulary import Term, Vocabulary, bytes_options, segmentations
from eve_proxy.pdp.assembly.windows import stream_of, tokens_of
from eve_proxy.pdp.assembly.words import LABELS, unusual

_MOST_DEFINITIONS: Final = 64
_MOST_WAYS: Final = 8
_MOST_LITERALS: Final = 64
_OPTIONS = bytes_options(max_mem=16 << 20)

_NOUN = (
    rb"(?:part|piece|chunk|fragment|half|word|string|token|segment|syllable|section|one|bit|variable|value|letter|key"
    rb"|block|item|line|message|entry|element)"
)
# name, what binds, and a value that is quoted or one word: a = "cy" / let A be cy / the 2nd piece is "anide" / 3) ide
_DEFINITION = re2.compile(
    rb"\b([a-z_][0-9a-z_]{0,23}|\d{1,3})(?:st|nd|rd|th)?[\"'`\])}]{0,3}(?: "
    + _NOUN
    + rb")?\s{0,3}(?::=|=>|->|=|:|<-|[.)\]]"
    rb"|\b(?:is|be|as|to|for|equals|holds|contains|means|stores|stands? for|denotes?|represents?)\b)\s{0,3}"
    rb"(?:(?:the |an? )?(?:string|letters?|text|word|fragment|characters|syllable|value|prefix|suffix) ?:?)?\s{0,2}"
    rb"(?:[\"'`]([^\"'`\n]{1,24})[\"'`]|([0-9a-z\x80-\xff]{1,32}))",
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

# For one split each: what stands between two quotes, or between any two marks and line ends.
_QUOTES: Final = bytes.maketrans(b"'`", b'""')
_MARKS: Final = bytes.maketrans(b"\"'`()[]{}<>|*_=:;,.!?-+#/&\t\r", b"\n" * 28)


def assembled_from_pieces(vocabulary: Vocabulary, text: bytes, tokens: list[bytes], cues: Cue) -> bool:
    """True when the named, quoted or labelled pieces of ``text`` make a term."""
    if not cues & (Cue.PROSE | Cue.CODE | Cue.STRIP):
        return False
    fragments = vocabulary.fragments
    if not (suspects := vocabulary.suspects(fragments.intersection(tokens))):
        return False
    quoted = fragments.intersection(text.translate(_QUOTES).split(b'"'))
    definitions = list(islice(_DEFINITION.finditer(text), _MOST_DEFINITIONS))
    values = {match.group(1): b" ".join(tokens_of(match.group(2) or match.group(3))) for match in definitions}
    named = fragments.intersection(b" ".join(values.values()).split())
    # An expression may mix names and literals; a text full of literals is left to what comes below.
    usable = named | quoted if len(quoted) <= _MOST_LITERALS else named
    if named and vocabulary.suspects(usable) and _substituted(vocabulary, text, tokens, definitions, values):
        return True
    if cues & (Cue.PROSE | Cue.STRIP):
        quoted |= _labelled(vocabulary, text, tokens)
    ways = ((term, way) for term in suspects for way in segmentations(term, quoted, most=_MOST_WAYS))
    return any(_telling(term, way) for term, way in ways)


def _substituted(
    vocabulary: Vocabulary, text: bytes, tokens: list[bytes], definitions: list[Any], values: dict[bytes, bytes]
) -> bool:
    """Put the values in the place of the names, wherever a name stands, and see what reads as a term now."""
    # Names count where they are used, not where they are defined: "city = sar, state = in" uses none.
    used, position = [], 0
    for match in definitions:
        if values[match.group(1)] not in values:
            used.append(text[position : match.start()])
            position = match.end()
    used.append(text[position:])
    expanded = [values.get(token, token) for token in tokens_of(b"\n".join(used))]
    ranked = sorted((rank, value) for name, value in values.items() if (rank := _rank(name)) is not None)
    before = _terms_in(vocabulary, (stream_of(tokens), stream_of(without_connectors(tokens))))
    if _terms_in(vocabulary, (stream_of(expanded), stream_of(without_connectors(expanded)))) - before:
        return True
    in_rank = _terms_in(vocabulary, (stream_of([value for _, value in ranked]),))
    return bool(in_rank - vocabulary.whole_in(stream_of(tokens)))


def _rank(name: bytes) -> int | None:
    if name in _RANKS:
        return _RANKS[name]
    digits = name.lstrip(b"abcdefghijklmnopqrstuvwxyz_")
    return int(digits) if digits.isdigit() else None


def _terms_in(vocabulary: Vocabulary, streams: tuple[bytes, ...]) -> frozenset[bytes]:
    """The terms that stand in the streams, however they are cut."""
    cuts = chain.from_iterable(islice(vocabulary.cuts_in(stream), MOST_CUTS) for stream in streams)
    return frozenset(map(b"".join, cuts)).union(*map(vocabulary.whole_in, streams))


def _labelled(vocabulary: Vocabulary, text: bytes, tokens: list[bytes]) -> frozenset[bytes]:
    """The fragments that stand alone between marks, or after a word that announces one."""
    marked = text.translate(_MARKS).replace(b"\n ", b"\n").replace(b" \n", b"\n").split(b"\n")
    announced = compress(tokens[1:], map(LABELS.__contains__, tokens))
    return vocabulary.fragments.intersection(chain(marked, announced))


def _telling(term: Term, way: tuple[bytes, ...]) -> bool:
    """Whether these fragments can hardly stand in one text by chance, in no order at all.

    Pieces of two letters are everywhere: in country codes, in minified code, in binary data.
    """
    if not unusual(way) or len(term.letters) < 3 * len(way) - 2:
        return False
    if sum([len(piece) == 1 for piece in way]) > len(way) // 3:
        return False
    ends, position = set(), 0
    for piece in way[:-1]:
        position += len(piece.decode("utf-8", "replace"))
        ends.add(position)
    return not term.natural.issuperset(ends)
