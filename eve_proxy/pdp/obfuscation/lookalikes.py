"""Which characters read as which letter, and which are not seen at all.

Compatibility forms (full width, mathematical, circled, small capitals, accents) come from the Unicode database
(NFKD); look-alikes of other scripts are listed. *Weak* signs also occur in honest spelling (``cocaïne``, a soft
hyphen, a ligature of a typeset page), *strong* ones do not stand inside an English word.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

# Look-alikes that the database does not relate to the letter.
_OTHER_SCRIPTS: Final = {
    "a": "аαɑᴀꭺ∀ᎪꓮⱭ⍺аӑӓд",
    "b": "вЬьβʙƄᏏᗷꓐвбɓ฿",
    "c": "сϲⅽᴄⲥᏟꓚСς¢ϹⲤ©",
    "d": "ԁᴅɗđꓒᎠᗞꓓð",
    "e": "еєεҽɛᴇ℮ЕΕЁёꓰᎬ∃€ɘə",
    "f": "ϝғƒꞙꓝᖴғſ",
    "g": "ɡցɢԍԌᏀꓖǥ",
    "h": "һнհʜΗНᎻꓧђћն",
    "i": "іɪιıӏΙІӀɩꓲᎥ¡ΐїЇ",
    "j": "јϳᴊЈꓙᎫʝ",
    "k": "кκᴋКΚꓗᏦκқ",
    "l": "ⅼʟӏӀιꓡᏞℓłՀ",
    "m": "мᴍМΜꓟᎷϻɱ",
    "n": "пηոɴΝղռꓠиИήл",
    "o": "оοσօᴏОΟꓳ०໐൦૦ⲟөӨøዐо๏",
    "p": "рρᴘРΡꓑᏢþ",
    "q": "ԛզգꓘϙ",
    "r": "гᴦʀɾяЯꓣᏒᎡ",
    "s": "ѕꜱЅꓢᏚՏ§",
    "t": "тτᴛТΤꓔᎢ†ŧт",
    "u": "υսᴜʋцμꓴՍᑌ",
    "v": "νѵᴠѴꓦᏙ∨",
    "w": "ԝшѡωᴡԜꓪᎳщώ",
    "x": "хχХΧꓫ×ҳ",
    "y": "уγуүʏУΥЎўꓬᎩ",
    "z": "ᴢΖꓜᏃʐƶ",
    "0": "оοО", "1": "ӏӀ", "3": "зЗ",
}  # fmt: skip
_COMPATIBLE: Final = (
    (0xA0, 0x250), (0x2B0, 0x2E5), (0x1D00, 0x1DC0), (0x1E00, 0x1F00), (0x2070, 0x20A0), (0x2100, 0x2190),
    (0x2460, 0x2500), (0x2C60, 0x2C80), (0x3200, 0x3400), (0xA720, 0xA800), (0xFF00, 0xFFF0),
    (0x1D400, 0x1D800), (0x1F110, 0x1F1A0), (0x1F1E6, 0x1F200), (0x1FBF0, 0x1FBFA),
)  # fmt: skip
_LIGATURES: Final = {
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl",
    "ﬅ": "st", "ﬆ": "st", "Æ": "ae", "æ": "ae", "œ": "oe", "ß": "ss",
}  # fmt: skip

# The accents of Latin orthographies, written apart.
_ACCENTS: Final = "\u0300-\u0304\u0306-\u0308\u030a-\u030c\u0327\u0328"
SOFT_HYPHEN: Final = "\u00ad"
UNSEEN: Final = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
WEAK_UNSEEN: Final = SOFT_HYPHEN + _ACCENTS


@cache
def lookalikes() -> dict[str, str]:
    """For each letter and digit every character, itself apart, that reads as it."""
    found: dict[str, set[str]] = {letter: set(others) for letter, others in _OTHER_SCRIPTS.items()}
    for start, end in _COMPATIBLE:
        for code in range(start, end):
            letter = base_letter(chr(code))
            if letter:
                found.setdefault(letter, set()).add(chr(code))
    for letter, others in list(found.items()):
        found[letter] |= {other.upper() for other in others if len(other.upper()) == 1}
        found[letter] = {other for other in found[letter] if not other.isascii()}
    return {letter: "".join(sorted(others)) for letter, others in found.items()}


@cache
def ligatures() -> dict[str, str]:
    """Characters that read as several letters."""
    return _LIGATURES


def base_letter(character: str) -> str:
    """The ASCII letter or digit that is left without compatibility form and accents; empty when there is none."""
    if 0x1F1E6 <= ord(character) < 0x1F200:
        return chr(ord(character) - 0x1F1E6 + ord("a"))
    name = unicodedata.name(character, "")
    if "LATIN" in name and any(mark in name for mark in ("CIRCLED", "SQUARED")):
        name = name.rpartition(" ")[2]
        return name.lower() if len(name) == 1 and name.isascii() else ""
    plain = [each for each in unicodedata.normalize("NFKD", character) if not unicodedata.combining(each)]
    letters = [each for each in plain if each.isalnum()]
    # "⒜" is "(a)": the brackets go, a second letter would not be one letter.
    one = letters[0].lower() if len(letters) == 1 else ""
    return one if one.isascii() and one.isalnum() else ""


@cache
def is_weak(character: str) -> bool:
    """Whether ``character`` also stands in honest words: a Latin letter with an accent, a ligature, ``UNSEEN`` ones."""
    if character in _LIGATURES or character == SOFT_HYPHEN:
        return True
    code = ord(character)
    if 0x300 <= code < 0x370:
        return code <= 0x304 or 0x306 <= code <= 0x308 or 0x30A <= code <= 0x30C or code in (0x327, 0x328)
    return 0xC0 <= code < 0x250 or 0x1E00 <= code < 0x1F00
