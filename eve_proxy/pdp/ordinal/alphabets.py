"""Alphabets that are no encoding of bytes: Morse, Braille, spelling words, places in the alphabet, moved letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_BOTH: Final = _LETTERS.upper() + _LETTERS
_MORSE_CODES: Final = (
    b".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
    b" ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
).split()  # fmt: skip
_MORSE: Final = {code: bytes([sign]) for code, sign in zip(_MORSE_CODES, _LETTERS + b"0123456789", strict=True)}
_MORSE_RUN: Final = re.compile(rb"(?<![.\-])(?:[.\-]{1,5}[ \t/|\n]{1,4}){3,}[.\-]{1,5}")
_MORSE_SIGNS: Final = (
    ("\u00b7".encode(), b"."), ("\u2022".encode(), b"."), ("\u2013".encode(), b"-"), ("\u2014".encode(), b"-"),
    ("\u2212".encode(), b"-"), (b"_", b"-"),
)  # fmt: skip
_BRAILLE: Final = {
    ord(sign): letter
    for sign, letter in zip(
        "\u2801\u2803\u2809\u2819\u2811\u280b\u281b\u2813\u280a\u281a\u2805\u2807\u280d\u281d\u2815\u280f\u281f\u2817\u280e\u281e"
        "\u2825\u2827\u283a\u282d\u283d\u2835",
        _LETTERS.decode(), strict=True,
    )
} | {0x2800: " "}  # fmt: skip
_BRAILLE_LEAD: Final = b"\xe2\xa0"
_SPELLING: Final = {
    word.encode(): word[:1].encode()
    for word in [
        "alpha",
        "alfa",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliett",
        "juliet",
        "kilo",
        "lima",
        "mike",
        "november",
        "oscar",
        "papa",
        "quebec",
        "romeo",
        "sierra",
        "tango",
        "uniform",
        "victor",
        "whiskey",
        "whisky",
        "xray",
        "x",
        "yankee",
        "zulu",
    ]
}
_TO_WORDS: Final = bytes(
    [code | 0x20 if 0x41 <= code <= 0x5A else code if 0x61 <= code <= 0x7A else 0x20 for code in range(256)]
)
_LEAST_SPELLED: Final = 4
_PLACES: Final = {spelled: bytes([96 + at]) for at in range(1, 27) for spelled in (b"%d" % at, b"%02d" % at)}
# 2-15-13-2 20-15: dashes within words and blanks between them, or commas and slashes.
_PLACED: Final = re.compile(rb"(?<![\d.])\d{1,2}(?:(?:[ ,.;/|_-]{1,3})\d{1,2}){2,}(?!\d|\.\d)")
_SPLIT: Final = re.compile(rb"(\d+)")


def morse(text: bytes) -> bytes:
    """What the Morse signs in ``text`` spell; empty when there are none. A slash, two blanks or a line end a word."""
    for sign, instead in _MORSE_SIGNS:
        text = text.replace(sign, instead)
    runs = []
    for run in _MORSE_RUN.findall(text):
        words = run.replace(b"/", b" / ").replace(b"|", b" / ").replace(b"   ", b" / ").replace(b"\n", b" / ").split()
        runs.append(b"".join([b" " if word == b"/" else _MORSE.get(word, b"") for word in words]))
    return b"\n".join(runs)


def braille(text: bytes) -> bytes:
    """``text`` with Braille read; empty when there is none."""
    if _BRAILLE_LEAD not in text:
        return b""
    return text.decode("utf-8", "replace").translate(_BRAILLE).encode("utf-8", "replace")


def spelled(text: bytes) -> bytes:
    """What the words of a spelling alphabet say (``sierra alpha romeo``), each run of them apart."""
    words = text.translate(_TO_WORDS).split()
    known = [_SPELLING.get(word, b" ") for word in words]
    return b" ".join([run for run in b"".join(known).split() if len(run) >= _LEAST_SPELLED])


def placed(text: bytes) -> Iterator[bytes]:
    """What lists of places in the alphabet say: with dashes inside words, and with none of the gaps telling words."""
    for run in _PLACED.findall(text):
        parts = _SPLIT.split(run)
        letters = [_PLACES.get(number, b" ") for number in parts[1::2]]
        gaps = parts[2:-1:2]
        yield b"".join(
            [letter + (b" " if gap.strip(b"-._,") else b"") for letter, gap in zip(letters, [*gaps, b""], strict=True)]
        )
        if len(set(gaps)) == 1:
            yield b"".join(letters)


def shift(by: int) -> bytes:
    """The table that moves letters ``by`` places on."""
    upper, lower = _BOTH[:26], _BOTH[26:]
    return bytes.maketrans(_BOTH, upper[by:] + upper[:by] + lower[by:] + lower[:by])


ATBASH: Final = bytes.maketrans(_BOTH, _BOTH[25::-1] + _BOTH[:25:-1])
SHIFTS: Final = tuple([shift(by) for by in range(1, 26)])


def codes_of(letter: bytes) -> dict[str, bytes]:
    """How ``letter`` (one small one) is written in each alphabet and number system, as patterns."""
    small, large, place = letter[0], letter[0] - 32, letter[0] - 96
    return {
        "decimal": b"(?:%d|%d)" % (small, large),
        "hex": b"(?:0?[xX]|\\\\[xu](?:00)?|U\\+00)?(?:%02x|%02X|%02x)" % (small, small, large),
        "octal": b"0?(?:%o|%o)" % (small, large),
        "binary": f"0?(?:{small:07b}|{large:07b})".encode(),
        "place": b"0?%d" % place,
        "morse": re.escape(_MORSE_CODES[place - 1]),
        "spelled": b"(?:" + b"|".join(sorted(word for word, first in _SPELLING.items() if first == letter)) + b")",
    }
