"""Named pieces: ``a = "cy"``, ``let B be anide``, ``x3 := ...``, and what an expression over the names becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from eve_proxy.pdp.lexicon import SEAM

MOST_DEFINITIONS: Final = 64
_LONGEST_ROW: Final = 48
_MOST_ROWS: Final = 256
# Names of one text that values are put for: more would make much of a little.
_MOST_PLACED: Final = 1024
_NAME: Final = rb"[a-z_\x80-\xff][\w\x80-\xff]{0,23}"
_SIGN: Final = rb"[\"'`\])}@%#>*]{0,3}\s{0,3}(?::=|=>|->|=|:|<-)\s{0,3}"
_VERB: Final = (
    rb"[\"'`\])}@%#>*]{0,3}[ \t]{1,3}(?:is|be|to|as|for|equals|holds|contains|means|stores|says|stands? for|denotes?"
    rb"|represents?|ist|sei|sea"
    rb"|es|est|soit|vale|sia|contiene|bedeutet|\xd0\xb7\xd0\xbd\xd0\xb0\xd1\x87\xd0\xb8\xd1\x82"
    rb"|\xd1\x8d\xd1\x82\xd0\xbe)[ \t]{1,3}"
)
_FILLER: Final = (
    rb"(?:(?:the |an? )?(?:string|letters?|text|word|fragment|characters|syllable|value|prefix|suffix) ?:?\s)?"
)
_DEFINITION: Final = re.compile(
    rb"(?:^|[^\w\x80-\xff])(" + _NAME + rb")(?:"
    rb"(?:" + _SIGN + rb"|" + _VERB + rb")" + _FILLER
    + rb"(?:\"([^\"\n]{1,200})\"|'((?:[^'\n]|\b'\b){1,200})'|`([^`\n]{1,200})`)"
    # A sign takes the rest of its clause, and so may a verb, or only its next word.
    rb"|" + _SIGN + rb"([^\s\"'`,;][^\n\"',;]{0,80})|" + _VERB + rb"([^\s\"'`,;.]{1,32})([^\n\"',;.]{0,60}))",
)  # fmt: skip
_WORDS: Final = re.compile(rb"([\w\x80-\xff]+)")
# Bytes between two names of an expression, and words that may stand there.
_NEAR: Final = 8
_AND: Final = frozenset("and then plus followed by und dann et puis y luego e poi и потом затем with".encode().split())


Definitions = list[tuple[bytes, bytes]]


def definitions_of(text: bytes) -> tuple[Definitions, Definitions]:
    """Names and values in the order of ``text``, read in two ways.

    In the first the value after a verb is one word, in the second the rest of its clause: ``let p be steal a car``.
    """
    words: Definitions = []
    clauses: Definitions = []
    at = 0
    while len(words) < MOST_DEFINITIONS and (hit := _DEFINITION.search(text, at)) is not None:
        name, double, single, tick, clause, word, rest = hit.groups()
        quoted = double or single or tick
        words.append((name, quoted if quoted is not None else (clause or word).strip(b" .")))
        clauses.append((name, quoted if quoted is not None else (clause or word + rest).strip(b" .")))
        # The value of one may end where the name of the next begins: "a be cy and b be anide".
        at = hit.end() if quoted is not None else hit.end(1) + 1
    return words, clauses if clauses != words else []


def resolved(text: bytes, definitions: Definitions) -> Iterator[bytes]:
    """The values in their order, every expression of names with values for names, and the text with them put in."""
    if len(definitions) < 2:
        return
    yield SEAM.join([value for _, value in definitions])
    # The first definition of a name counts. Words are at the odd places.
    values = dict(reversed(definitions))
    parts = _WORDS.split(text)
    values |= _rows({word for word in parts[1::2] if len(word) <= _LONGEST_ROW}, values)
    expressions: list[list[bytes]] = []
    last = -_NEAR
    placed = 0
    for at in range(1, len(parts), 2):
        value = values.get(parts[at])
        if value is None:
            continue
        placed += 1
        if placed > _MOST_PLACED:
            break
        if not _belong(parts, last, at):
            expressions.append([])
        expressions[-1].append(value)
        parts[at] = SEAM + value + SEAM
        last = at
    # Apart, so that one does not run into the next.
    yield b"  ".join(
        [SEAM.join(expression) for expression in expressions if len(expression) > 1 or SEAM in expression[0]]
    )
    yield b"".join(parts)


def _belong(parts: list[bytes], last: int, at: int) -> bool:
    """Whether the names at ``last`` and ``at`` are of one expression; what lies between them is dropped then."""
    between = parts[last + 1 : at]
    if (
        last < 0
        or at - last > 6
        or not all(word in _AND for word in between[1::2])
        or sum(map(len, between[::2])) > _NEAR
    ):
        return False
    if between[0].strip(b" ") or at - last > 2:
        # An operator: no blank is left. Without one the text's own blank stays.
        parts[last + 1 : at] = [b""] * (at - last - 1)
    return True


def _rows(words: set[bytes], values: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """What those of ``words`` stand for that are several names written together: ``XYZ``, ``p1p2``."""
    names = sorted(values, key=len, reverse=True)
    made = {}
    for word in islice((word for word in words if word.startswith(tuple(names)) and word not in values), _MOST_ROWS):
        pieces, rest = [], word
        while rest:
            name = next((name for name in names if rest.startswith(name)), None)
            if name is None:
                break
            pieces.append(values[name])
            rest = rest[len(name) :]
        else:
            made[word] = SEAM.join(pieces)
    return made
