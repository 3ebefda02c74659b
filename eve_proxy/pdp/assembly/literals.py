"""Quoted pieces: literals that an expression, a list or a sentence puts in a row, and parts cut out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from eve_proxy.pdp.lexicon import SEAM

MOST_LITERALS: Final = 1024
_LONGEST: Final = 300
# These patterns are linear in re as well, which finds many hits ten times as fast: every repetition is bounded or ends
# where the next piece begins.
# A quote inside a word is an apostrophe.
_KINDS: Final = tuple(
    [
        re.compile(kind)
        for kind in (rb"\"([^\"\n]{0,300})\"", rb"\B'((?:[^'\n]|\b'\b){0,300})'(?:\B|\b)", rb"`([^`\n]{0,300})`")
    ]
)
_LITERAL: Final = re.compile(rb"\"([^\"\n]{0,300})\"|\B'((?:[^'\n]|\b'\b){0,300})'|`([^`\n]{0,300})`")
# piece: bo / the 2nd part: mb / content = "..." -- what announces a piece inside its own quotes or line.
LABEL: Final = re.compile(rb"^[\s>*-]{0,4}(?:[\w'\x80-\xff]+ ){0,5}[\w\x80-\xff]+ ?[:=>]{1,2}[ ]*")
_NUMBER = rb"\s*(-?\d{0,3})\s*"
_SLICED: Final = re.compile(
    rb"(?:\"([^\"\n]{1,300})\"|'([^'\n]{1,300})'|`([^`\n]{1,300})`|\b([a-z_$][\w$]{0,23}))"
    rb"(?:\[" + _NUMBER + rb"(?:(:)" + _NUMBER + rb"(?::" + _NUMBER + rb")?)?\]"
    rb"|\.(?:slice|substring|substr|charat|at)\(" + _NUMBER + rb"(?:(,)" + _NUMBER + rb")?\))",
)
_CALLED: Final = re.compile(
    rb"\b(?:substring|substr|mid|slice)\(\s*(?:\"([^\"\n]{1,300})\"|'([^'\n]{1,300})'|([a-z_$][\w$]{0,23}))\s*,"
    + _NUMBER + rb"," + _NUMBER + rb"\)",
)  # fmt: skip


def literals_of(text: bytes) -> list[list[bytes]]:
    """The quoted pieces of ``text`` in order, without their quotes: of every kind together, then of each kind alone.

    One kind may be quoted by another: ``print("'cy' + 'anide'")``.
    """
    everything = _pieces(_LITERAL, text)
    kinds = [
        _pieces(kind, text) for kind, quote in zip(_KINDS, (b'"', b"'", b"`"), strict=True) if text.count(quote) > 3
    ]
    return [pieces for pieces in (everything, *kinds) if pieces]


def _pieces(kind: Any, text: bytes) -> list[bytes]:
    hits = list(islice(kind.finditer(text), MOST_LITERALS + 1))
    if len(hits) > MOST_LITERALS:
        # Too many to look at one by one: what one kind of quote divides, in C. Whether a piece lies inside the quotes
        # or outside is not told apart any more.
        return max((text.split(quote) for quote in (b'"', b"'", b"`")), key=len)
    return [hit.group(hit.lastindex or 1) or b"" for hit in hits]


def in_a_row(literals: list[bytes]) -> Iterator[bytes]:
    """The pieces one after the other, without their labels, and the other way round."""
    if len(literals) > 1:
        yield SEAM.join(literals)
        if len(literals) <= MOST_LITERALS:
            bare = [LABEL.sub(b"", piece) for piece in literals]
            if bare != literals:
                yield SEAM.join(bare)
        yield SEAM.join(literals[::-1])


def sliced(text: bytes, values: dict[bytes, bytes]) -> bytes:
    """``text`` with ``"abc"[0:2]``, ``name[3]`` and ``substring("abc", 0, 2)`` replaced by what they are.

    :param values: what names stand for.
    """

    def cut(hit: Any) -> bytes:
        *quoted, name, first, colon, last, step, start, comma, end = hit.groups()
        value = next(filter(None, quoted), None) or values.get(name or b"")
        if value is None:
            return bytes(hit.group())
        if start is not None:
            # substring and slice: from, to. charAt: one.
            return _part(value, start, comma, end, b"")
        return _part(value, first, colon, last, step)

    def called(hit: Any) -> bytes:
        double, single, name, start, end = hit.groups()
        value = double or single or values.get(name or b"")
        return bytes(hit.group()) if value is None else _part(value, start, b",", end, b"")

    return bytes(_CALLED.sub(called, _SLICED.sub(cut, text)))


def _part(value: bytes, first: bytes, colon: bytes | None, last: bytes | None, step: bytes | None) -> bytes:
    letters = value.decode("utf-8", "replace")
    if not colon:
        at = int(first) if first not in (b"", b"-") else 0
        part = letters[at : at + 1] if at >= 0 else letters[at : at + 1 or None]
    else:
        start, end, stride = (
            int(number) if number not in (None, b"", b"-") else None for number in (first, last, step)
        )
        part = letters[start : end : stride or None]
    return b'"' + part.encode() + b'"'
