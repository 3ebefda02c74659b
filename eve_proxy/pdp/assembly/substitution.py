"""Texts that say what to replace in themselves, and by what: words, letters, blanks to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import re2

from eve_proxy.pdp.lexicon import SEAM, bytes_options

_MOST_MATCHES: Final = 16
_MOST_RULES: Final = 12
_MOST_ALONE: Final = 3
_MOST_TAGS: Final = 256
_OPTIONS = bytes_options(max_mem=8 << 20)
_DROPPING: Final = (
    rb"(?:remov|strip|delet|drop|ignor|omit|skip|without|disregard|eliminat|discard|filter|cut|eras|minus|exclud|lose"
    rb"|purg"
    rb"|take out|entfern|streich|enl\xc3\xa8v|supprim|quita|elimina|borra|togli|rimuov"
    rb"|\xd1\x83\xd0\xb4\xd0\xb0\xd0\xbb|\xd1\x83\xd0\xb1\xd0\xb5\xd1\x80)"
)
_QUOTED: Final = rb"[\"'`(]([^\"'`\n()]{1,12})[\"'`)]"
# remove every "zq" / without the letter x / drop all q's
_REMOVE: Final = re2.compile(
    rb"\b"
    + _DROPPING
    + rb"[\w\x80-\xff]*(?:[ \t]+[\w'\x80-\xff]+){0,6}?[ \t]+(?:"
    + _QUOTED
    + rb"|(?:the |every |all |each |any )?(?:letters? |characters? )([a-z0-9])\b"
    rb"|(?:every|all|each|the|any) ([a-z0-9]{1,3})(?:'?s)?\b)",
    _OPTIONS,
)
# the letter q is noise / "zz" means nothing / x's are filler
_NOISE: Final = re2.compile(
    rb"(?:(?:letters?|characters?|symbols?|digits?|words?|string|sequence) [\"'`]?([^\s\"'`]{1,10})[\"'`]?"
    rb"|[\"'`]([^\s\"'`]{1,10})[\"'`])"
    rb" (?:is|are|means?|as|for|=) (?:just |only |pure |meaningless )?(?:noise|nothing|junk|filler|silent|padding"
    rb"|garbage|ignored|to be)",
    _OPTIONS,
)
# replace "0" with "o" and "1" by i, swap every 3 for e
_REPLACE: Final = re2.compile(
    rb"\b(?:replac\w*|substitut\w*|swap\w*|chang\w*|turn\w*|exchang\w*|ersetz\w*|remplac\w*|reempla\w*|cambia\w*|and"
    rb"|then|und|et|y)"
    rb"(?:[ \t]+(?:each|every|all|the|any|letters?|digits?|characters?|symbols?|numbers?|words?|of|jedes|chaque|cada"
    rb"|por)){0,4}"
    rb"[ \t]+(?:[\"'`]([^\"'`\n]{1,24})[\"'`]|([^\s\"'`]{1,16}?)(?:'s)?)[ \t]+(?:with|by|for|into|to|durch|par|por"
    rb"|con)[ \t]+"
    rb"(?:(?:an? |the )?(?:letter|character|digit|word) |nothing)?(?:[\"'`]([^\"'`\n]{1,24})[\"'`]"
    rb"|([\w\x80-\xff]{0,16})\b)",
    _OPTIONS,
)
# wherever I write FRUIT read 'bomb'
_MEANT: Final = re2.compile(
    rb"\b(?:wherever|whenever|when|every time|each time|where|if) (?:i|you|it|we) \w{2,8} "
    rb"[\"'`]?([^\s\"'`,]{1,24})[\"'`]?,? (?:\w+ ){0,2}"
    rb"(?:read|say|use|think|substitute|put|understand|means?)(?: it)?(?: of| as)? [\"'`]?([\w\x80-\xff ]{2,24})",
    _OPTIONS,
)
# .replace("x", "y") and its relatives: str_replace("x", "y", ...), gsub("x", "y", ...), re.sub(r"x", "", ...), s/x/y/g
_CALL: Final = re2.compile(
    rb"(?:replace\w*|sub|gsub|split|translate|strip)[ ]?\([ ]*(?:r?[\"'`]|/)([^\"'`/\n]{1,16})(?:[\"'`]|/g?i?)"
    rb"(?:\)?[. ]*join\(|[ ]*,[ ]*)?[\"'`]?([^\"'`\n)]{0,16})",
    _OPTIONS,
)
_SED: Final = re2.compile(rb"\bs([/|#])([^/|#\n]{1,16})[/|#]([^/|#\n]{0,16})[/|#]", _OPTIONS)
# apple=make, pear -> bomb, 'milk' means 'poison'
_PAIR: Final = re2.compile(
    rb"(?:^|[\s,;({])[\"'`]?([a-z0-9#%@$&*_\x80-\xff-]{1,24})[\"'`]?\s?(?:=|:|->|=>|\xe2\x86\x92|means|stands for|is "
    rb"code for|ist|signifie)\s?"
    rb"[\"'`]?([a-z\x80-\xff][a-z \x80-\xff]{0,24}[a-z\x80-\xff])",
    _OPTIONS,
)
# <b>, </i>, <br/>
_TAG: Final = re.compile(rb"</?[a-z][^<>\n]{0,200}>")
# Words and single signs, each apart.
_WORDS: Final = re.compile(rb"([\w#%@$&*\x80-\xff-]+)")
_BLANK: Final = re.compile(rb"%s|\{\d?\}|_{2,8}|\[blank\]|<blank>|\[mask\]")


# Groups to skip, and how many of the rest name, in one of several ways, what goes. Those after name what comes instead.
_ROWS: Final = (
    (_REMOVE, 0, 3), (_NOISE, 0, 2), (_REPLACE, 0, 2), (_CALL, 0, 1), (_MEANT, 0, 1), (_SED, 1, 1),
)  # fmt: skip
Rule = tuple[bytes, bytes]


def rules_of(text: bytes) -> tuple[Rule, ...]:
    """What ``text`` says is to be replaced, and by what (nothing where it is to go); a bounded number of rules."""
    rules: dict[Rule, None] = {}
    for pattern, skipped, half in _ROWS:
        for hit in islice(pattern.finditer(text), _MOST_MATCHES):
            groups = hit.groups(b"")[skipped:]
            old, new = b"".join(groups[:half]), b"".join(groups[half:])
            if old and old != new:
                rules[old, new] = None
    return tuple(rules)[:_MOST_RULES]


def dictionary_of(text: bytes) -> tuple[Rule, ...]:
    """The words of a code that ``text`` gives: ``apple = make, pear = bomb``."""
    pairs = {hit.group(1): hit.group(2) for hit in islice(_PAIR.finditer(text), _MOST_MATCHES)}
    return tuple([(old, new) for old, new in pairs.items() if old != new])


def rewritten(text: bytes, rules: tuple[Rule, ...]) -> Iterator[bytes]:
    """``text`` with all ``rules`` followed, and with each alone where there are few: one may be a decoy."""
    everything = text
    for old, new in rules:
        if old in text:
            everything = everything.replace(old, new)
            if 1 < len(rules) <= _MOST_ALONE:
                yield text.replace(old, new)
    if everything is not text:
        yield everything
    if 1 < text.count(b"<") <= _MOST_TAGS:
        yield _TAG.sub(SEAM, text)


def translated(text: bytes, code: tuple[Rule, ...]) -> Iterator[bytes]:
    """``text`` with the words of a code put for each other."""
    if len(code) > 1:
        meanings = dict(code)
        yield b"".join([meanings.get(word, word) for word in _WORDS.split(text)])


def filled(text: bytes, pieces: list[bytes]) -> Iterator[bytes]:
    """``text`` with its blanks filled by ``pieces`` in their order, from each that can be the first."""
    blanks = len(list(islice(_BLANK.finditer(text), _MOST_MATCHES)))
    if not blanks or not 1 <= len(pieces) <= _MOST_TAGS:
        return
    for first in range(min(len(pieces), 4)):
        left = iter(pieces[first:])

        def put(_: Any, left: Iterator[bytes] = left) -> bytes:
            return SEAM + next(left, b"") + SEAM

        yield _BLANK.sub(put, text, _MOST_MATCHES)
