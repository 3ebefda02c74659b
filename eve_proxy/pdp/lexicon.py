"""What must not be put together, in two kinds: terms, which need no company, and requests, which are made of two words.

A *term* (``novichok``) tells by itself. The words of a *request* are everyday ones (``make``, ``bomb``); only both,
the asking word shortly before the other, mean harm. Text is compared as lower-case UTF-8; a *word byte* is a letter, a
digit or any byte of a non-ASCII character. A detector puts a NUL, the *seam*, where it has joined two pieces: a word
with a seam inside was *cut* by somebody, one without merely stands there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import re2

SEAM: Final = b"\0"
LONGEST_TERM: Final = 64
SHORTEST_TERM: Final = 5
MOST_TERMS: Final = 512
MOST_REQUESTS: Final = 32
# Hits in one text that are looked at. Only somebody who floods a detector has more.
MOST_HITS: Final = 96
# Bytes before the second word of a request in which the first is looked for: about a dozen words.
ASKED_WITHIN: Final = 96

# Between texts that are searched together.
APART: Final = b" " * ASKED_WITHIN

_WORD = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz") | frozenset(range(0x80, 0x100))
_WORDS: Final = frozenset([bytes((code,)) for code in _WORD])
# Bytes on either side of a hit in which another piece begins that it is joined to.
_NEXT: Final = 8
# Everything that separates becomes a blank; letters become small, and the seam stays.
_FOLD: Final = bytes([
    0 if code == 0 else code | 0x20 if 0x41 <= code <= 0x5A else code if code in _WORD else 0x20 for code in range(256)
])  # fmt: skip
# Between words that may be written apart.
_GAP: Final = b"[ \\x00]{0,4}"
_ENDING: Final = b"[a-z\\x80-\\xff]{0,12}"
_PLURAL: Final = b"(?:e?s)?"
_INFLECTED: Final = b"(?:e?s|e?d|p?ing|e?rs?)?"
# A cut through a word of fewer letters is chance.
_SHORTEST_CUT: Final = 4
_SHORTEST_SEAMED: Final = 2
_LONG: Final = 256 << 10
# Scripts that are written without blanks.
_UNSPACED: Final = 0x2E80


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A kind of harmful request, as a policy lists it.

    :ivar asks: asking words; a final ``*`` stands for any ending.
    :ivar objects: what is asked for, likewise.
    :ivar telling: whether one of the objects, cut in two, tells by itself.
    """

    asks: tuple[str, ...]
    objects: tuple[str, ...]
    telling: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A word that was found.

    :ivar key: the word without gaps and seams.
    :ivar pieces: what lay between its seams and gaps.
    :ivar alone: whether no further piece is joined to it, before or after.
    :ivar whole: whether its pieces are whole pieces of the reading, first letter to last.
    """

    key: bytes
    pieces: tuple[bytes, ...]
    alone: bool
    whole: bool


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


def folded(text: bytes) -> bytes:
    """``text`` in comparison form, byte for byte as long as before where it is ASCII."""
    if not text.isascii():
        text = text.decode("utf-8", "replace").lower().encode("utf-8", "replace")
    return text.translate(_FOLD)


def small(text: bytes) -> bytes:
    """``text`` in small letters where a pattern without regard to case cannot do that itself: outside ASCII.

    A long text stays: its instructions may stand in capitals of other alphabets and be missed, for a tenth of the cost.
    """
    if text.isascii() or len(text) > _LONG:
        return text
    return text.decode("utf-8", "replace").lower().encode("utf-8", "replace")


def compared(text: bytes) -> bytes:
    """As ``folded``, of text whose letters outside ASCII are small already, or do not matter: a tenth of the cost."""
    return text.translate(_FOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Everything compiled from a policy's terms and requests. Texts are folded; every search is linear.

    :ivar terms: each as its words; ``telling`` the telling objects likewise.
    """

    terms: tuple[tuple[str, ...], ...]
    telling: tuple[tuple[str, ...], ...]
    _cut: Any = field(repr=False)
    _whole: Any = field(repr=False)
    _notable: Any = field(repr=False)
    _objects: Any = field(repr=False)
    _asks: Any = field(repr=False)
    _runs: Any = field(repr=False)
    _requests: tuple[tuple[Any, Any], ...] = field(repr=False)

    def may_say(self, text: bytes, *, requests: bool) -> bool:
        """Whether there is anything to find in ``text``: one or two searches, mostly the last ones.

        :param requests: objects of requests count.
        """
        return self._notable.search(text) is not None or (
            requests and self._objects is not None and self._objects.search(text) is not None
        )

    def cut_in(self, text: bytes) -> Iterator[Found]:
        """Terms and telling objects with a seam where no gap belongs."""
        return _each(self._cut, text)

    def terms_in(self, text: bytes) -> Iterator[Found]:
        """Terms that stand in ``text`` uncut."""
        return _each(self._whole, text)

    def asked_terms_in(self, text: bytes) -> Iterator[Found]:
        """Those of them that stand shortly after any asking word."""
        if self._asks is not None:
            for hit in islice(self._whole.finditer(text), MOST_HITS):
                if self._asks.search(_before(hit)) is not None:
                    yield _found(hit)

    def asks(self, text: bytes) -> bool:
        """Whether ``text`` asks for anything that the requests name."""
        return self._asks is not None and self._asks.search(text) is not None

    def requests_in(self, text: bytes) -> Iterator[Found]:
        """Objects that stand in ``text`` shortly after a word that asks for them."""
        if self._objects is None:
            return
        for hit in islice(self._objects.finditer(text), MOST_HITS):
            before = _before(hit)
            if self._asks.search(before) is None:
                continue
            found = _found(hit)
            plain = b" ".join(found.pieces) if len(found.pieces) < 9 else found.key
            if any(
                asks.search(before) is not None and (objects.fullmatch(found.key) or objects.fullmatch(plain))
                for asks, objects in self._requests
            ):
                yield found

    def run_together_in(self, text: bytes) -> Iterator[Found]:
        """Requests written in one word, ``makeabomb``, with seams or without."""
        return _each(self._runs, text) if self._runs is not None else iter(())

    def plainly(self, text: bytes) -> frozenset[bytes]:
        """The keys of what stands in ``text`` for everybody to see."""
        return frozenset([found.key for found in (*self.terms_in(text), *self.requests_in(text))])

    def harm_in(self, text: bytes) -> Iterator[Found]:
        """What a text says that lies open: terms, then requests."""
        yield from self.terms_in(text)
        yield from self.requests_in(text)


def compile_lexicon(terms: tuple[str, ...], requests: tuple[Request, ...] = ()) -> Lexicon:
    """A lexicon of validated terms and requests."""
    split = tuple([words_of(term) for term in terms])
    cuts = [_cut(words, _INFLECTED) for words in split]
    telling = [one for request in requests for one in request.objects if request.telling and _is_long(words_of(one))]
    cuts += [_cut(words_of(one), _INFLECTED) for one in telling]
    runs = [_run(request.asks) + b"(?:a\\x00?n?|some|the)?\\x00?" + _run(request.objects) for request in requests]
    objects = [b"|".join(map(_object, request.objects)) for request in requests]
    asks = [b"|".join(map(_ask, request.asks)) for request in requests]
    whole = [_bounded(words, _gapped(words) + _PLURAL) for words in split]
    return Lexicon(
        terms=split,
        telling=tuple(map(words_of, telling)),
        _cut=_compiled(cuts),
        _whole=_compiled(whole),
        _notable=_compiled([*cuts, *whole, *runs]),
        _objects=_compiled(objects) if objects else None,
        _asks=_compiled(asks) if asks else None,
        _runs=_compiled(runs) if runs else None,
        _requests=tuple([(_compiled([ask]), _compiled([some])) for ask, some in zip(asks, objects, strict=True)]),
    )


def _is_long(words: tuple[str, ...]) -> bool:
    letters = "".join(words)
    return len(letters) >= (_SHORTEST_CUT if ord(letters[0]) < _UNSPACED else 2)


def _compiled(alternatives: list[bytes]) -> Any:
    options = bytes_options(max_mem=64 << 20)
    # "drug money", not "drug".
    options.longest_match = True
    return re2.compile(b"|".join(alternatives), options)


def _each(pattern: Any, text: bytes) -> Iterator[Found]:
    return map(_found, islice(pattern.finditer(text), MOST_HITS))


def _found(hit: Any) -> Found:
    pieces = tuple(hit.group().replace(SEAM, b" ").split())
    text, start, end = hit.string, hit.start(), hit.end()
    before, after = text[max(0, start - _NEXT) : start], text[end : end + _NEXT]
    far, next_ = before.rstrip(SEAM), after.lstrip(SEAM)
    joined = (far != before and far[-1:] in _WORDS) or (next_ != after and next_[:1] in _WORDS)
    whole = before[-1:] in (b"", SEAM) and after[:1] in (b"", SEAM)
    return Found(b"".join(pieces), pieces, not joined, whole)


def _before(hit: Any) -> bytes:
    """What stands before a hit; a seam may lie inside an asking word as well as between two words."""
    before = hit.string[max(0, hit.start() - ASKED_WITHIN) : hit.start()]
    return bytes(before.replace(SEAM, b" ") + b"  " + before.replace(SEAM, b""))


def _ask(word: str) -> bytes:
    words = words_of(word)
    spelled = b" {1,4}".join([re2.escape(one.encode()) for one in words])
    return _bounded(words, spelled + (_ENDING if word.endswith("*") else b""))


def _object(word: str) -> bytes:
    words = words_of(word)
    # Two letters with a seam between are everywhere.
    spelled = [_seamed(one) if len(one) > _SHORTEST_SEAMED else re2.escape(one.encode()) for one in words]
    return _bounded(words, _GAP.join(spelled) + _suffix(word))


def _run(words: tuple[str, ...]) -> bytes:
    long = [word for word in map("".join, map(words_of, words)) if len(word) >= _SHORTEST_CUT and word.isascii()]
    return b"(?:" + b"|".join(map(_seamed, long)) + b")"


def _seamed(word: str) -> bytes:
    return b"\\x00*".join([re2.escape(letter.encode()) for letter in word])


def _suffix(word: str) -> bytes:
    return _ENDING if word.endswith("*") else _PLURAL


def _gapped(words: tuple[str, ...]) -> bytes:
    return _GAP.join([re2.escape(word.encode()) for word in words])


def _bounded(words: tuple[str, ...], pattern: bytes) -> bytes:
    if ord(words[0][0]) >= _UNSPACED:
        return pattern
    if words[0][0].isascii() and words[-1][-1].isascii():
        return b"\\b" + pattern + b"\\b"
    return b"(?:^|[ \\x00])" + pattern


def _cut(words: tuple[str, ...], suffix: bytes) -> bytes:
    """The letters of ``words`` with optional seams, at least one of them where no gap belongs.

    Two chains, built from the end: ``free`` matches the rest of a term that has been cut already, ``due`` the rest
    of one that has not.
    """
    letters = [re2.escape(letter.encode()) for word in words for letter in word]
    ends, at = set(), 0
    for word in words:
        at += len(word)
        ends.add(at)
    free, due = letters[-1], b""
    for position in range(len(letters) - 1, 0, -1):
        letter = letters[position - 1]
        natural = position in ends
        if natural:
            due = letter + _GAP + b"(?:" + due + b")" if due else b""
        else:
            due = letter + b"(?:" + (due + b"|" if due else b"") + b"\\x00+" + free + b")"
        free = letter + (_GAP if natural else b"\\x00*") + free
    return _bounded(words, due + suffix)
