"""The protected vocabulary, prepared once per policy: what must not be assembled, and what it can be assembled from.

Text is compared as lower-case UTF-8. A *word byte* is a letter, a digit or any byte of a non-ASCII character;
everything else is a gap. A *token* is a run of word bytes; a *stream* is tokens with one space before, between
and after. A term written with a space (``nerve agent``, ``key logger``) may be written apart or together: a cut
there is natural and no sign of an attack. A cut anywhere else is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import re2

LONGEST_TERM: Final = 64
SHORTEST_TERM: Final = 5
MOST_TERMS: Final = 512

_DIGITS = frozenset(b"0123456789")
_WORD = _DIGITS | frozenset(b"abcdefghijklmnopqrstuvwxyz") | frozenset(range(0x80, 0x100))
TO_GAPS: Final = bytes([code if code in _WORD else 0x20 for code in range(256)])
WORD: Final = rb"[0-9a-z\x80-\xff]"
GAP: Final = rb"[^0-9a-z\x80-\xff]"


def bytes_options(*, max_mem: int = 16 << 20) -> re2.Options:
    """Options for patterns over lower-case bytes; the generous memory bound keeps big alternations on the DFA."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = max_mem
    options.log_errors = False
    return options


def words_of(term: str) -> tuple[str, ...]:
    """A term's words in comparison form: lower case, punctuation dropped."""
    kept = "".join([character if character.isalnum() else " " for character in term.lower()])
    return tuple(kept.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One protected term.

    :ivar letters: its characters, each as UTF-8.
    :ivar natural: positions after which a gap is natural.
    :ivar pieces: by start, the end and text of every proper substring.
    """

    letters: tuple[bytes, ...]
    natural: frozenset[int]
    pieces: tuple[tuple[tuple[int, bytes], ...], ...] = field(repr=False)

    @property
    def joined(self) -> bytes:
        """The term without any gap."""
        return b"".join(self.letters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The terms and everything compiled from them.

    :ivar terms: in the order of the policy.
    :ivar cut: finds a term in a stream, cut by at least one gap that is not natural.
    :ivar whole: finds a term in a stream, uncut or cut at natural places only.
    :ivar run: finds a term among letters that have no boundaries (initials).
    :ivar literals: finds a term of several words as quoted words with operators between; None without such a term.
    :ivar fragments: every proper substring of a term.
    :ivar heads: the fragments a term can begin with, and those terms as a bit mask; ``tails`` likewise.
    """

    terms: tuple[Term, ...]
    cut: Any = field(repr=False)
    whole: Any = field(repr=False)
    run: Any = field(repr=False)
    literals: Any = field(repr=False)
    fragments: frozenset[bytes] = field(repr=False)
    heads: dict[bytes, int] = field(repr=False)
    tails: dict[bytes, int] = field(repr=False)

    @property
    def ascii_only(self) -> bool:
        """Whether no term has a letter outside ASCII."""
        return all(term.joined.isascii() for term in self.terms)

    def cuts_in(self, stream: bytes) -> Iterator[tuple[bytes, ...]]:
        """The fragments of each term that stands in ``stream`` strangely cut: every way to cut it once."""
        yield from (tuple(hit.split()) for hit in _each(self.cut, stream))

    def whole_in(self, stream: bytes) -> frozenset[bytes]:
        """The terms that stand in ``stream`` as one writes them, without gaps."""
        return frozenset([hit.replace(b" ", b"") for hit in _each(self.whole, stream)])

    def suspects(self, found: frozenset[bytes]) -> list[Term]:
        """The terms that can be pieced together, in any order, from two or more of the fragments ``found``."""
        first = last = 0
        heads, tails = self.heads, self.tails
        for fragment in found:
            first |= heads.get(fragment, 0)
            last |= tails.get(fragment, 0)
        mask = first & last
        return [term for bit, term in enumerate(self.terms) if mask >> bit & 1 and _covered(term, found)]


def prepare(terms: tuple[str, ...]) -> Vocabulary | None:
    """Compile the terms of a validated policy; None when there are none."""
    made = tuple([_term(words_of(term)) for term in terms])
    if not made:
        return None
    options = bytes_options()
    several = [term for term in made if term.natural]
    fragments: set[bytes] = set()
    heads: dict[bytes, int] = {}
    tails: dict[bytes, int] = {}
    for number, term in enumerate(made):
        _index(term, 1 << number, fragments, heads, tails)
    return Vocabulary(
        terms=made,
        cut=re2.compile(b" (?:" + b"|".join(map(_cut, made)) + b") ", options),
        whole=re2.compile(b" (?:" + b"|".join(map(_whole, made)) + b") ", options),
        run=re2.compile(b"|".join([re2.escape(term.joined) for term in made]), options),
        literals=re2.compile(b"|".join(map(_literal, several)), options) if several else None,
        fragments=frozenset(fragments),
        heads=heads,
        tails=tails,
    )


def segmentations(term: Term, found: frozenset[bytes], *, most: int) -> list[tuple[bytes, ...]]:
    """Ways to cut ``term`` into fragments of ``found``, fewest fragments first, at most ``most``.

    Bounded: every position keeps at most ``most`` ways.
    """
    ways: list[list[tuple[bytes, ...]]] = [[] for _ in range(len(term.letters) + 1)]
    ways[0].append(())
    for start, pieces in enumerate(term.pieces):
        shortest = sorted(ways[start], key=len)[:most]
        for end, piece in pieces if shortest else ():
            if piece in found:
                ways[end].extend([(*way, piece) for way in shortest])
    return sorted(ways[-1], key=len)[:most]


def _covered(term: Term, found: frozenset[bytes]) -> bool:
    """Whether there is any segmentation."""
    reached = {0}
    for start, pieces in enumerate(term.pieces):
        if start in reached:
            reached.update([end for end, piece in pieces if piece in found])
    return len(term.letters) in reached


def _each(pattern: Any, stream: bytes) -> Iterator[bytes]:
    # All occurrences of a hit go with the first one, in one call: repeating a decoy gains nothing.
    while (hit := pattern.search(stream)) is not None:
        found: bytes = hit.group()
        yield found
        stream = stream.replace(found, b"  ")


def _term(words: tuple[str, ...]) -> Term:
    ends: list[int] = []
    for word in words:
        ends.append(len(word) + (ends[-1] if ends else 0))
    letters = tuple([character.encode() for word in words for character in word])
    size = len(letters)
    return Term(
        letters=letters,
        natural=frozenset(ends[:-1]),
        pieces=tuple([
            tuple([(end, b"".join(letters[start:end])) for end in range(start + 1, size + 1) if end - start < size])
            for start in range(size)
        ]),
    )  # fmt: skip


def _index(term: Term, bit: int, fragments: set[bytes], heads: dict[bytes, int], tails: dict[bytes, int]) -> None:
    for start, pieces in enumerate(term.pieces):
        for end, piece in pieces:
            fragments.add(piece)
            if start == 0:
                heads[piece] = heads.get(piece, 0) | bit
            if end == len(term.letters):
                tails[piece] = tails.get(piece, 0) | bit


def _cut(term: Term) -> bytes:
    """Letters with optional gaps, at least one of them not natural.

    Two chains, built from the end: ``free`` matches the rest of a term that has been cut already, ``due`` the rest
    of one that has not.
    """
    letters = [re2.escape(letter) for letter in term.letters]
    free, due = letters[-1], b""
    for position in range(len(letters) - 1, 0, -1):
        letter = letters[position - 1]
        ways = []
        if position in term.natural:
            ways = [b" ?(?:" + due + b")"] if due else []
        else:
            ways = ([due] if due else []) + [b" " + free]
        due = letter + b"(?:" + b"|".join(ways) + b")" if ways else b""
        free = letter + b" ?" + free
    return due


def _whole(term: Term) -> bytes:
    parts = []
    for position, letter in enumerate(term.letters, 1):
        parts.append(re2.escape(letter) + (b" ?" if position in term.natural else b""))
    return b"".join(parts)


def _literal(term: Term) -> bytes:
    quote, operator = rb"[\"'`]", rb"\s*(?:\+|\.\.?|&|\|\||<<|~)\s*"
    words, start = [], 0
    for end in (*sorted(term.natural), len(term.letters)):
        words.append(quote + rb"\s?" + re2.escape(b"".join(term.letters[start:end])) + rb"\s?" + quote)
        start = end
    return operator.join(words)
