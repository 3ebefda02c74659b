"""Texts that become something else when their own instructions are followed: strip, replace, reverse, pick letters.

Each rewrite makes a stream in shadow. A term that stands there, and does not stand in the text as it was sent, has
been assembled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.in_order import MOST_CUTS
from eve_proxy.pdp.assembly.vocabulary import TO_GAPS, Vocabulary, bytes_options
from eve_proxy.pdp.assembly.windows import stream_of
from eve_proxy.pdp.assembly.words import unusual

_MOST_MATCHES: Final = 16
_MOST_RULES: Final = 8
_MOST_ALONE: Final = 3
_MOST_TAGS: Final = 256
_MOST_LONG_TOKENS: Final = 1024
_STRIDES: Final = (2, 3, 4)
_LONGEST_STRIDED: Final = 4 * 64
_DIGITS: Final = b"0123456789"
_OPTIONS = bytes_options(max_mem=8 << 20)

_QUOTED = rb"[\"'`(]([^\"'`\n()]{1,12})[\"'`)]"
# remove every "zq" / without the letter x / drop all q's
_REMOVE = re2.compile(
    rb"\b(?:remov\w*|strip\w*|delet\w*|drop\w*|ignor\w*|omit\w*|skip\w*|without|disregard\w*|eliminat\w*|discard\w*|out|of"
    rb"|filter\w*|cut\w*|eras\w*|minus|exclud\w*|lose|purg\w*|no)\b(?:[ \t]+[\w']+){0,6}?[ \t]+(?:"
    + _QUOTED
    + rb"|(?:the |every |all |each |any )?(?:letters? |characters? )([a-z0-9])\b"
    rb"|(?:every|all|each|the|any) ([a-z0-9]{1,3})(?:'?s)?\b)",
    _OPTIONS,
)
# replace "0" with "o" and "1" by i, swap every 3 for e
_REPLACE = re2.compile(
    rb"\b(?:replac\w*|substitut\w*|swap\w*|chang\w*|turn\w*|exchang\w*|and|then)"
    rb"(?:[ \t]+(?:each|every|all|the|any|letters?|digits?|characters?|symbols?|numbers?|of)){0,4}"
    rb"[ \t]+[\"'`]?([^\s\"'`]{1,8}?)(?:'s)?[\"'`]?[ \t]+(?:with|by|for|into|to)[ \t]+"
    rb"(?:(?:an? |the )?(?:letter|character|digit) |nothing)?[\"'`]?([a-z0-9]{0,4})\b",
    _OPTIONS,
)
# .replace("x", "y") and its relatives: str_replace("x", "y", ...), gsub("x", "y", ...), re.sub(r"x", "", ...)
_CALL = re2.compile(
    rb"(?:replace\w*|sub|gsub|split|translate|strip)[ ]?\([ ]*(?:r?[\"'`]|/)([^\"'`/\n]{1,12})(?:[\"'`]|/g?i?)"
    rb"(?:\)?[. ]*join\(|[ ]*,[ ]*)?[\"'`]?([^\"'`\n)]{0,6})",
    _OPTIONS,
)
# <b>, </i>, <br/>
_TAG = re2.compile(rb"</?[a-z][^<>\n]{0,200}>", _OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a whole text says to do with itself.

    :ivar replacements: what is to be replaced, and by what; nothing where it is to go.
    """

    cues: Cue
    replacements: tuple[tuple[bytes, bytes], ...]


def instructions_of(text: bytes, cues: Cue) -> Instructions:
    """The instructions of ``text`` (in comparison form), a bounded number of them."""
    rules: dict[tuple[bytes, bytes], None] = {}
    if cues & Cue.STRIP:
        for pattern in (_REMOVE, _REPLACE, _CALL):
            for match in islice(pattern.finditer(text), _MOST_MATCHES):
                groups = match.groups(b"")
                # _REMOVE has three ways to name what goes; the others name what comes instead.
                rule = (b"".join(groups), b"") if pattern is _REMOVE else (groups[0], groups[1])
                if rule[0] and rule[0] != rule[1]:
                    rules[rule] = None
    return Instructions(cues=cues, replacements=tuple(rules)[:_MOST_RULES])


def assembled_by_rewriting(vocabulary: Vocabulary, text: bytes, tokens: list[bytes], orders: Instructions) -> bool:
    """True when following ``orders`` makes a term of ``text`` that it does not contain plainly."""
    cues = orders.cues
    candidates = chain(
        _stripped(text, orders.replacements) if cues & Cue.STRIP else (),
        _initials(text) if cues & Cue.INITIALS else (),
        _strided(vocabulary, text, tokens) if cues & Cue.STRIDE else (),
    )
    plainly: frozenset[bytes] | None = None
    for stream in candidates:
        if vocabulary.whole.search(stream) is None:
            continue
        if plainly is None:
            plainly = vocabulary.whole_in(stream_of(tokens))
        if not plainly.issuperset(vocabulary.whole_in(stream)):
            return True
    if cues & Cue.INITIALS and any(vocabulary.run.search(letters) is not None for letters in _acrostics(text)):
        return True
    return bool(cues & Cue.REVERSE) and _reversed(vocabulary, text, tokens)


def _stripped(text: bytes, rules: tuple[tuple[bytes, bytes], ...]) -> Iterator[bytes]:
    yield _gapped(text.translate(None, _DIGITS))
    if 1 < text.count(b"<") <= _MOST_TAGS:
        yield _gapped(_TAG.sub(b"", text))
    rewritten = text
    for old, new in rules:
        if old in text:
            rewritten = rewritten.replace(old, new)
            # Each alone as well, unless there are many: one of two may be a decoy.
            if 1 < len(rules) <= _MOST_ALONE:
                yield _gapped(text.replace(old, new))
    if rewritten is not text:
        yield _gapped(rewritten)


def _gapped(text: bytes) -> bytes:
    # Gaps are not made one space each: that would take a list of tokens, and only uncut terms are looked for here.
    return b" " + text.translate(TO_GAPS) + b" "


def _initials(text: bytes) -> Iterator[bytes]:
    """First and last letters of the words of each sentence or line."""
    yield _capitals(text, _KEEP_ENDS)
    yield _capitals(text[::-1], _KEEP_ENDS)[::-1]


def _acrostics(text: bytes) -> Iterator[bytes]:
    """First and last letters of the lines."""
    lines = text.translate(None, _NOT_LETTERS)
    yield _capitals(lines, _NOT_CAPITALS)
    yield _capitals(lines[::-1], _NOT_CAPITALS)[::-1]


def _capitals(text: bytes, dropped: bytes) -> bytes:
    # In C: title case, then all but the capitals is dropped.
    return b" " + text.title().translate(_TO_STREAM, dropped) + b" "


def _strided(vocabulary: Vocabulary, text: bytes, tokens: list[bytes]) -> Iterator[bytes]:
    """Every second, third or fourth letter of long tokens."""
    for stride in _STRIDES:
        for phase in range(stride):
            # The whole text first, where letters of neighbours may mix: that is one call.
            if vocabulary.run.search(text[phase::stride]) is not None:
                long = islice((token for token in tokens if 9 <= len(token) <= _LONGEST_STRIDED), _MOST_LONG_TOKENS)
                yield stream_of([token[start::stride] for token in long for start in range(stride)])
                break


def _reversed(vocabulary: Vocabulary, text: bytes, tokens: list[bytes]) -> bool:
    """Letters backwards, fragments backwards, or each fragment backwards."""
    if not text.isascii():
        text = text.decode("utf-8", "replace")[::-1].encode("utf-8", "replace")[::-1]
    backwards = text[::-1].translate(TO_GAPS, _DIGITS).split()
    mirrored = b"".join(backwards)
    shuffled = b"".join(backwards[::-1])
    # Without gaps first: where no term stands there, none stands in the streams.
    run = vocabulary.run.search
    if run(mirrored) is None and run(shuffled) is None and run(shuffled[::-1]) is None:
        return False
    everything = stream_of(backwards)
    return vocabulary.whole.search(everything) is not None or any(
        unusual(fragments) or max(map(len, fragments)) == 1
        for stream in (everything, stream_of(backwards[::-1]), stream_of(tokens[::-1]))
        for fragments in islice(vocabulary.cuts_in(stream), MOST_CUTS)
    )


# A sentence or a line ends here, for initials.
_ENDS: Final = b'.:;!?"()\n'
_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_TO_STREAM: Final = bytes.maketrans(_LETTERS.upper() + _ENDS, _LETTERS + b" " * len(_ENDS))
_NOT_CAPITALS: Final = bytes(sorted(set(range(256)) - set(_LETTERS.upper())))
_KEEP_ENDS: Final = bytes(sorted(set(_NOT_CAPITALS) - set(_ENDS)))
_NOT_LETTERS: Final = bytes(sorted(set(range(256)) - set(_LETTERS) - set(b"\n")))
