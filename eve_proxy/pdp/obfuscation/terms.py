"""The protected words as patterns over look-alikes: of other alphabets, and of digits and signs ("leet")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import re2

from eve_proxy.pdp.lexicon import Lexicon, bytes_options
from eve_proxy.pdp.obfuscation.lookalikes import UNSEEN, ligatures, lookalikes

_UNSEEN = f"[{UNSEEN}]*"
_EDGE: Final = r"[^\p{Latin}\p{Cyrillic}\p{Greek}\p{Nd}]"
_GAP: Final = r"[\s\p{Z}_\-\x{2010}-\x{2015}]{0,3}"
_LEET: Final = {
    "a": "4@", "b": "8", "c": "(<", "e": "3", "g": "69", "h": "#", "i": "1!|", "l": "1|!", "o": "0", "s": "5$",
    "t": "7+", "z": "2", "u": "v", "x": "%",
}  # fmt: skip
# Letters and digits of a spelling that stand for letters; shorter words are written so by chance.
_SHORTEST_LEET: Final = 4


def disguised(lexicon: Lexicon) -> Any:
    """A pattern over UTF-8 that finds a term in any disguise, and undisguised, on its own boundaries."""
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    options.case_sensitive = False
    terms = "|".join([_term(words, _letter) for words in lexicon.terms])
    return re2.compile(f"(?:^|{_EDGE})({terms}){_letter('s')}?{_UNSEEN}(?:$|{_EDGE})", options)


def in_leet(lexicon: Lexicon) -> Any:
    """A pattern over bytes that finds a term or a telling object with a letter or more written as digits or signs."""
    options = bytes_options(max_mem=64 << 20)
    options.case_sensitive = False
    words = [one for one in (*lexicon.terms, *lexicon.telling) if "".join(one).isascii()]
    long = [one for one in words if len("".join(one)) >= _SHORTEST_LEET]
    edge = b"[^0-9A-Za-z@$]"
    return re2.compile(
        b"(?:^|" + edge + b")(?:" + b"|".join(map(_leet, long)) + b")[sSzZ5$]?(?:$|" + edge + b")", options
    )


def _leet(words: tuple[str, ...]) -> bytes:
    """Two chains, from the end: ``free`` once a letter was replaced, ``due`` before."""
    letters = "".join(words)
    ends, at = set(), 0
    for word in words:
        at += len(word)
        ends.add(at)
    free, due = b"", b""
    for position in range(len(letters), 0, -1):
        letter = letters[position - 1]
        plain = re2.escape(letter.encode())
        others = b"".join([re2.escape(other.encode()) for other in _LEET.get(letter, "")])
        gap = b"[ _-]{0,3}" if position in ends and position < len(letters) else b""
        ways = [plain + gap + due] if due else []
        if others:
            ways.append(b"[" + others + b"]" + gap + free)
        due = b"(?:" + b"|".join(ways) + b")" if ways else b""
        free = (b"[" + plain + others + b"]" if others else plain) + gap + free
    return due


def _term(words: tuple[str, ...], letter_class: Callable[[str], str]) -> str:
    letters = "".join(words)
    natural, size = set(), 0
    for word in words[:-1]:
        size += len(word)
        natural.add(size)
    parts = []
    at = 0
    while at < len(letters):
        joined = letters[at : at + 3]
        ligature = next((one for one, several in ligatures().items() if joined.startswith(several)), None)
        size = len(ligatures()[ligature]) if ligature else 1
        # A natural gap inside a ligature would be lost.
        if ligature and not any(place in natural for place in range(at + 1, at + size)):
            spelled = _UNSEEN.join(map(letter_class, letters[at : at + size]))
            parts.append(f"(?:{ligature}|{spelled})")
            at += size
        else:
            parts.append(letter_class(letters[at]))
            at += 1
        parts.append(_UNSEEN if at < len(letters) else "")
        if at in natural:
            parts.append(_GAP + _UNSEEN)
    return "".join(parts)


def _letter(letter: str) -> str:
    others = lookalikes().get(letter, "")
    return f"[{letter}{''.join(re2.escape(other) for other in others)}]" if others else re2.escape(letter)
