"""Texts that become something else when their own instructions are followed: strip, replace, reverse, pick letters.

Each rewrite makes a stream in shadow. A term that stands there, and does not stand in the text as it was sent, has
been assembled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import re2

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.vocabulary import Vocabulary, bytes_options
from eve_proxy.pdp.assembly.windows import stream_of, tokens_of
from eve_proxy.pdp.assembly.words import ORDINARY

_MOST_RULES: Final = 16
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
    rb"[ \t]+[\"'`]?([^\s\"'`]{1,8}?)(?:'s)?[\"'`]?[ \t]+(?:with|by|for|into|to)[ \t]+(?:an? |the )?"
    rb"(?:(?:letter|character|nothing)[ \t]*)?[\"'`]?([a-z0-9]{0,4})\b",
    _OPTIONS,
)
# .replace("x", "y") and its relatives: str_replace("x", "y", ...), gsub("x", "y", ...), re.sub(r"x", "", ...)
_CALL = re2.compile(
    rb"(?:replace\w*|sub|gsub|split|translate|strip)[ ]?\([ ]*(?:r?[\"'`]|/)([^\"'`/\n]{1,12})(?:[\"'`]|/g?i?)"
    rb"(?:\)?[. ]*join\(|[ ]*,[ ]*)?[\"'`]?([^\"'`\n)]{0,6})",
    _OPTIONS,
)


def assembled_by_rewriting(vocabulary: Vocabulary, text: bytes, tokens: list[bytes], cues: Cue) -> bool:
    """True when following the instructions of ``text`` makes a term that it does not contain plainly."""
    candidates = (
        stream
        for cue, rewrite in ((Cue.STRIP, _stripped), (Cue.INITIALS, _initials), (Cue.STRIDE, _strided))
        if cues & cue
        for stream in rewrite(text, tokens)
    )
    plainly: frozenset[bytes] | None = None
    for stream in candidates:
        hit = vocabulary.whole.search(stream)
        if hit is None:
            continue
        if plainly is None:
            plainly = _plain_terms(vocabulary, stream_of(tokens))
        if not plainly.issuperset(_plain_terms(vocabulary, stream)):
            return True
    if cues & Cue.INITIALS and _acrostic(vocabulary, text):
        return True
    return bool(cues & Cue.REVERSE) and _reversed(vocabulary, tokens)


def _plain_terms(vocabulary: Vocabulary, stream: bytes) -> frozenset[bytes]:
    found: set[bytes] = set()
    while (hit := vocabulary.whole.search(stream)) is not None:
        found.add(hit.group().replace(b" ", b""))
        stream = stream.replace(hit.group(), b"  ")
    return frozenset(found)


def _stripped(text: bytes, tokens: list[bytes]) -> Iterator[bytes]:
    yield stream_of(tokens_of(text.translate(None, _DIGITS)))
    rules: dict[tuple[bytes, bytes], None] = {}
    for pattern in (_REMOVE, _REPLACE, _CALL):
        for number, match in enumerate(pattern.finditer(text)):
            groups = match.groups(b"")
            # _REMOVE has three ways to name what goes, the others name what comes instead.
            rule = (b"".join(groups), b"") if pattern is _REMOVE else (groups[0], groups[1])
            if rule[0] and rule[0] != rule[1]:
                rules[rule] = None
            if number >= _MOST_RULES:
                break
    rewritten = text
    for old, new in rules:
        yield stream_of(tokens_of(text.replace(old, new)))
        rewritten = rewritten.replace(old, new)
    if len(rules) > 1:
        yield stream_of(tokens_of(rewritten))


def _initials(text: bytes, tokens: list[bytes]) -> Iterator[bytes]:
    """First and last letters of the words of each sentence or line."""
    del tokens
    sentences = [tokens_of(line) for line in text.translate(_SENTENCES).split(b"\n")]
    yield stream_of([b"".join([word[:1] for word in sentence]) for sentence in sentences])
    yield stream_of([b"".join([word[-1:] for word in sentence]) for sentence in sentences])


def _strided(text: bytes, tokens: list[bytes]) -> Iterator[bytes]:
    del text
    long = [token for token in tokens if 9 <= len(token) <= _LONGEST_STRIDED][:_MOST_LONG_TOKENS]
    for stride in _STRIDES:
        for phase in range(stride):
            yield stream_of([token[phase::stride] for token in long])


def _acrostic(vocabulary: Vocabulary, text: bytes) -> bool:
    lines = [line.lstrip(b" \t-*.#>\"'0123456789)(") for line in text.split(b"\n")]
    return (
        vocabulary.run.search(b"".join([line[:1] for line in lines])) is not None
        or vocabulary.run.search(b"".join([line.rstrip(b" \t.,;:!?\"'")[-1:] for line in lines])) is not None
    )


def _reversed(vocabulary: Vocabulary, tokens: list[bytes]) -> bool:
    """Letters backwards, fragments backwards, or each fragment backwards."""
    backwards = [token.decode("utf-8", "replace")[::-1].encode("utf-8", "replace") for token in tokens]
    everything = stream_of(backwards[::-1])
    if vocabulary.whole.search(everything) is not None:
        return True
    kept = [token for token in backwards if not token.isdigit()]
    orders = (everything, stream_of(backwards), stream_of(kept[::-1]), stream_of(kept), stream_of(tokens[::-1]))
    return any(_cut_strangely(vocabulary, stream) for stream in orders)


def _cut_strangely(vocabulary: Vocabulary, stream: bytes) -> bool:
    while (hit := vocabulary.cut.search(stream)) is not None:
        if not ORDINARY.issuperset(hit.group().split()):
            return True
        stream = stream.replace(hit.group(), b"  ")
    return False


_SENTENCES: Final = bytes.maketrans(b".:;!?\"'()", b"\n" * 9)
