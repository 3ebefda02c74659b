"""Letters that are spelled out, mixed with noise, or have to be picked: separators, reversal, initials, strides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from eve_proxy.pdp.lexicon import APART, SEAM

STRIDES: Final = (2, 3, 4, 5)
_MOST_RUNS: Final = 512
_MOST_LONG: Final = 256
_LONGEST: Final = 512
# What is longer is several words in one.
_LONGEST_WORD: Final = 8
_FEW_LINES: Final = 16
_MARKS: Final = bytes([code for code in range(0x21, 0x7F) if not chr(code).isalnum()])
# Commas stand between the parameters of minified code, and only count where the text speaks of them.
_SEPARATORS: Final = _MARKS.replace(b",", b"")
_DIGITS: Final = b"0123456789"
_MARKS_TO_SEAMS: Final = bytes.maketrans(_SEPARATORS, SEAM * len(_SEPARATORS))
_DIGITS_TO_SEAMS: Final = bytes.maketrans(_DIGITS, SEAM * 10)
_LETTER: Final = rb"(?:[a-z]|[\xc2-\xdf][\x80-\xbf])"
# w r i t e  a: single letters with one blank; more blanks, or a mark, end a word.
_SPACED: Final = re.compile(rb"\b(?:" + _LETTER + rb"[ \t\n]){2,}" + _LETTER + rb"\b")
# Blanks around a mark belong to it: "det / ona / tor".
_WIDE_MARK: Final = re.compile(rb" {0,2}(?:[/|~*_+;:.\-]|->|=>){1,3} {0,2}")
_SEGMENT: Final = re.compile(rb"[\n.:!?;\"()]")


def unseparated(text: bytes, *, closely: bool = True) -> Iterator[bytes]:
    """``text`` with seams where marks, digits or blanks between letters were."""
    yield text.translate(_MARKS_TO_SEAMS)
    yield text.translate(_DIGITS_TO_SEAMS)
    if not closely:
        return
    yield _WIDE_MARK.sub(SEAM, text)
    listed = text.replace(b", ", SEAM)
    yield listed.replace(b",", SEAM) if b"comma" in text else listed
    spaced = _SPACED.sub(_closed, text)
    if spaced != text:
        yield bytes(spaced)


def _closed(hit: Any) -> bytes:
    return bytes(hit.group().translate(_BLANKS_TO_SEAMS))


_BLANKS_TO_SEAMS: Final = bytes.maketrans(b" \t\n", SEAM * 3)


def backwards(text: bytes, literals: list[bytes]) -> Iterator[bytes]:
    """``text`` from its end, its words each from their end, and the words of each sentence in the other order."""
    turned = text.decode("utf-8", "replace")[::-1].encode("utf-8", "replace")
    yield turned
    if _SPACED.search(turned):
        yield _SPACED.sub(_closed, turned)
    # Each quotation from its end, in their order.
    yield SEAM.join([literal[::-1] for literal in literals])
    yield b" ".join(turned.split()[::-1])
    yield APART.join([b" ".join(part.split()[::-1]) for part in _PARTS.split(text)[:_MOST_RUNS]])


def pieces_backwards(text: bytes) -> Iterator[bytes]:
    """The words of ``text`` as fragments, the other way round: ``nide cya``; and turned themselves."""
    words = text.translate(_MARKS_TO_BLANKS).split()
    yield SEAM.join(words[::-1])
    turned = text.decode("utf-8", "replace")[::-1].encode("utf-8", "replace")
    yield SEAM.join(turned.translate(_MARKS_TO_BLANKS).split())


_PARTS: Final = re.compile(rb"[\n:!?;\"'`]|\. ")
_MARKS_TO_BLANKS: Final = bytes.maketrans(_MARKS, b" " * len(_MARKS))


def initials(text: bytes) -> Iterator[bytes]:
    """First letters, last letters and capitals, of the lines and of the words of each line, sentence or quotation.

    :param text: in its own letter case.
    """
    lines = [line.strip(_NOT_LETTERS) for line in text.split(b"\n")[:_MOST_RUNS]]
    lines = [line for line in lines if line]
    if len(lines) > 2:
        # The lines of a short text around the instruction: each run of them may be the row.
        for rows in ([line[:1] for line in lines], [line[-1:] for line in lines]):
            yield SEAM.join(rows)
            if len(rows) <= _FEW_LINES:
                yield b" ".join([SEAM.join(rows[start:]) for start in range(min(len(rows), 4))])
    first, last, capitals = [], [], []
    for segment in islice(iter(_SEGMENT.split(text)), _MOST_RUNS):
        words = [word.strip(_NOT_LETTERS) for word in segment.split()]
        words = [word for word in words if word]
        if len(words) > 2:
            first.append(b"".join([word[:1] for word in words]))
            last.append(b"".join([word[-1:] for word in words]))
            # The first letter of a sentence is a capital anyway.
            large = segment.translate(None, _NOT_CAPITALS)
            capitals += [large, large[1:]]
    # Apart from each other, and the letters of each with seams: a whole row spells something, or a long part of it.
    for rows in (first, last, capitals):
        yield b" ".join([SEAM.join([row[at : at + 1] for at in range(len(row))]) for row in rows])


_NOT_LETTERS: Final = bytes([code for code in range(0x80) if not chr(code).isalpha()])
_NOT_CAPITALS: Final = bytes([code for code in range(256) if not 0x41 <= code <= 0x5A])


def strided(text: bytes, literals: list[bytes]) -> Iterator[bytes]:
    """Every second to fifth letter of quotations and of long words, from each of their beginnings."""
    long = [word for word in text.translate(_MARKS_TO_BLANKS).split() if 8 <= len(word) <= _LONGEST][:_MOST_LONG]
    long += [literal for literal in literals[:_MOST_LONG] if 8 <= len(literal) <= _LONGEST and b" " in literal]
    for stride in STRIDES:
        picked = [word[start::stride] for word in long for start in range(stride)]
        yield APART.join(picked)
        yield b" ".join([SEAM.join([bytes((code,)) for code in word]) for word in picked if len(word) > _LONGEST_WORD])
