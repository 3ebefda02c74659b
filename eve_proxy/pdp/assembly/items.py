"""Pieces that a list, a table, numbers or labels set apart, in their order or in that of their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import re2

from eve_proxy.pdp.lexicon import SEAM, bytes_options

MOST_ITEMS: Final = 512
_RANKS: Final = {
    name: rank
    for rank, names in enumerate((
        "zero", "first one", "second two", "third three", "fourth four", "fifth five", "sixth six", "seventh seven",
        "eighth eight", "ninth nine", "tenth ten",
    ))
    for name in names.encode().split()
}  # fmt: skip
# What follows the number of a piece: "3) ", "2nd part is: ", "1 | ".
_AFTER: Final = rb"(?:st|nd|rd|th)?[^\n:.)\]|=,>\d(]{0,24}[:.)\]|=,>-]{1,3} ?"
# Numbers are everywhere in some texts, and re is quicker at many hits; words of rank are rare, and re2 at few.
_MARKERS: Final = (
    re.compile(rb"(?<![\w.])(\d{1,2})" + _AFTER),
    re2.compile(rb"\b(" + b"|".join(_RANKS) + rb")\b" + _AFTER, bytes_options()),
)
# A piece ends where its line, its bracket or its sentence does, and before the bracket of the next number.
_PIECE: Final = re.compile(
    rb"\s*(?:\"([^\"\n]*)\"|'([^'\n]*)'|`([^`\n]*)`|([^\n;|)\]}]*?)(?:[\n;|)\]}]|\. | --? |[\s(\[#]*$))"
)
_BRACKETED: Final = re.compile(rb"\[([^\[\]\n]{1,60})\]|\(([^()\n]{1,60})\)|<([^<>\n]{1,60})>|\{([^{}\n]{1,60})\}")
# From the end of one line to what the next one says, without bullets and a label.
_LINE_BREAK: Final = re.compile(
    rb"[ \t\"'`|,;\r]{0,8}\n[\s>|*\-\xe2\x80\xa2]{0,8}(?:[(\[]?\w{1,2}[.)\]:]\s{0,3})?"
    rb"(?:(?:[\w'\x80-\xff]{1,24} ){0,5}[\w\x80-\xff]{1,24} ?[:=>]{1,2} ?)?[\"'`]?"
)
_NUMBERED_LETTERS: Final = re.compile(rb"\b(?:([a-z]{1,8})[_-]?(\d)|(\d)[_-]?([a-z]{1,8}))\b")


_ORDER: Final = re.compile(rb"[\[(](\d{1,2}(?:\s?[, ]\s?\d{1,2}){1,31})[\])]")
_INDEX: Final = re.compile(rb"\b[a-z_]\w{0,15}\[(\d{1,2})\]")
_MOST_ORDERS: Final = 8
# More pieces than that are a long document's, not a message's.
_FEW_ITEMS: Final = 24


def numbered(text: bytes) -> Iterator[bytes]:
    """The numbered pieces of a short text, as they stand and sorted."""
    for marker in _MARKERS:
        marks = list(islice(marker.finditer(text), _FEW_ITEMS + 1))
        if len(marks) <= _FEW_ITEMS:
            yield from _numbered(text, marks)


def permuted(text: bytes, pieces: list[bytes]) -> Iterator[bytes]:
    """``pieces`` in the order that a list of numbers in ``text`` gives: ``order = [2, 0, 1]``."""
    for hit in islice(_ORDER.finditer(text), _MOST_ORDERS):
        order = [int(number) for number in re.findall(rb"\d+", hit.group(1))]
        first = min(order)
        if sorted(order) == list(range(first, first + len(order))) and first <= 1 and len(order) <= len(pieces):
            row = pieces[-len(order) :]
            yield SEAM.join([row[place - first] for place in order])
            row = pieces[: len(order)]
            yield SEAM.join([row[place - first] for place in order])
    # p[1] + p[0]
    taken = [int(number) for number in _INDEX.findall(text)[:_FEW_ITEMS]]
    if len(taken) > 1 and max(taken) < len(pieces):
        yield SEAM.join([pieces[place] for place in taken])


def listed(text: bytes) -> Iterator[bytes]:
    """Each way to read ``text`` as a list of pieces, with seams between them."""
    for marker in _MARKERS:
        yield from _numbered(text, list(islice(marker.finditer(text), MOST_ITEMS)))
    bracketed = [hit.group(hit.lastindex or 1) for hit in islice(_BRACKETED.finditer(text), MOST_ITEMS)]
    if len(bracketed) > 1:
        yield SEAM.join(bracketed)
    if text.count(b"\n") > 1:
        yield _LINE_BREAK.sub(SEAM, b"\n" + text)
    lettered = [hit.groups() for hit in islice(_NUMBERED_LETTERS.finditer(text), MOST_ITEMS)]
    if len(lettered) > 2:
        pairs = [(int(after or before), word or other) for word, after, before, other in lettered]
        yield SEAM.join([piece for _, piece in sorted(pairs, key=_by_rank)])


def _numbered(text: bytes, marks: list[Any]) -> Iterator[bytes]:
    if len(marks) < 2:
        return
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    pieces = []
    for mark, end in zip(marks, ends, strict=True):
        hit = _PIECE.match(text[mark.end() : min(end, mark.end() + 300)])
        piece = next((part for part in hit.groups() if part is not None), b"") if hit else b""
        rank = mark.group(1)
        pieces.append((_RANKS[rank] if rank in _RANKS else int(rank), piece.strip(b" \t,|/\"'`([#")))
    yield SEAM.join([piece for _, piece in pieces])
    yield SEAM.join([piece for _, piece in sorted(pieces, key=_by_rank)])


def _by_rank(pair: tuple[int, bytes]) -> int:
    return pair[0]
