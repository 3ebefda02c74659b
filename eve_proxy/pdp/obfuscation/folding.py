"""Text as a reader sees it, or as a machine does: look-alikes made plain, unseen characters dropped or read."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import re2

from eve_proxy.pdp.obfuscation.lookalikes import UNSEEN, WEAK_UNSEEN, is_weak, lookalikes

_MOST_LINES: Final = 256
_LONGEST_LINE: Final = 512
# Messages in characters that nobody sees: tags, and variation selectors that each stand for a byte.
_TAG: Final = 0xE0000
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
# Letters that look Latin next to Latin ones, letters of a style, unseen characters between letters.
_SIGN: Final = re2.compile(
    r"[A-Za-z][\p{Cyrillic}\p{Greek}\x{0250}-\x{02af}\x{1d00}-\x{1d7f}]|[\p{Cyrillic}\p{Greek}][A-Za-z]"
    r"|[\x{1d400}-\x{1d7ff}\x{ff21}-\x{ff5a}\x{2460}-\x{24ff}\x{1f110}-\x{1f1ff}\x{1d00}-\x{1d2b}\x{0280}\x{0262}\x{026a}\x{0274}]"
    r"|[A-Za-z][\x{200b}-\x{200f}\x{2060}-\x{2064}\x{feff}\x{00ad}\x{180e}]|\pL"
    r"[\x{0300}-\x{036f}\x{0483}-\x{0489}\x{20d0}-\x{20ff}]"
)


@cache
def _table() -> dict[int, str]:
    made = dict.fromkeys(_unseen(UNSEEN), "")
    for letter, others in lookalikes().items():
        for other in others:
            made.setdefault(ord(other), letter)
    return made


@cache
def _weak_table() -> dict[int, str]:
    unseen = set(_unseen(WEAK_UNSEEN))
    return {code: letter for code, letter in _table().items() if code in unseen or (letter and is_weak(chr(code)))}


def _unseen(ranges: str) -> list[int]:
    codes: list[int] = []
    for first, last in re.findall("(.)-(.)", ranges):
        codes += range(ord(first), ord(last) + 1)
    return codes + [ord(one) for one in re.sub("(.)-(.)", "", ranges)]


def has_a_sign(text: bytes) -> bool:
    """Whether anything in ``text`` may be a disguise. Honest text of one script has no such place."""
    return _SIGN.search(text) is not None


def undisguised(text: bytes, *, short: int) -> bytes:
    """``text`` with every look-alike plain and nothing unseen; of one longer than ``short`` the lines with a sign."""
    if len(text) > short:
        lines = [line[:_LONGEST_LINE] for line in text.splitlines() if not line.isascii() and has_a_sign(line)]
        text = b"\n".join(lines[:_MOST_LINES])
    return text.decode("utf-8", "replace").translate(_table()).encode("utf-8", "replace")


def openly(text: bytes) -> bytes:
    """``text`` without what honest spelling has: accents and soft hyphens. Whoever writes so hides nothing."""
    return text.decode("utf-8", "replace").translate(_weak_table()).encode("utf-8", "replace")


def unseen_messages(text: bytes) -> bytes:
    """What stands in ``text`` in characters that are not shown; empty when there is nothing."""
    if b"\xf3\xa0" not in text and b"\xef\xb8" not in text:
        return b""
    characters = text.decode("utf-8", "replace")
    found = ["".join([chr(ord(one) - _TAG) for one in run]).encode() for run in _TAGS.findall(characters)]
    found += [bytes([_byte(ord(one)) for one in run]) for run in _SELECTORS.findall(characters)]
    return b"\n".join(found)


def _byte(code: int) -> int:
    return code - 0xFE00 if code < 0xFF00 else code - 0xE0100 + 16
