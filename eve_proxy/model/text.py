"""Text that comes from outside, made safe to sign, to print on one line and to carry in a header."""

from __future__ import annotations

import re
import unicodedata

# C0, DEL, C1, lone surrogates, line/paragraph separators and bidi controls: none may reach a log or a terminal.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escaped_size(text: str) -> int:
    """Bytes that ``text`` takes in ASCII JSON, quotes excluded (``\\uXXXX``, surrogate pairs, ``\\"``)."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return len(text)
    size = 0
    for character in text:
        code = ord(character)
        if code > 0xFFFF:
            size += 12
        elif code > 0x7E or code < 0x20:
            size += 6
        else:
            size += 2 if character in '"\\' else 1
    return size


def clean(text: str, characters: int, *, escaped: int | None = None) -> str:
    """``text`` in NFC without control characters, at most ``characters`` long (evidence.md).

    :param escaped: the most bytes its ASCII JSON form may take, default twice ``characters``: it keeps a whole
        certificate within one 4,096-byte header. What is cut off is marked with an ellipsis.
    """
    # Nearly every text. Quotes and backslashes at worst double it.
    if len(text) <= characters and text.isascii() and text.isprintable() and (not escaped or 2 * len(text) <= escaped):
        return text
    budget = 2 * characters if escaped is None else escaped
    text = _UNPRINTABLE.sub("\ufffd", text[: 4 * characters])
    text = unicodedata.normalize("NFC", text)
    if len(text) <= characters and escaped_size(text) <= budget:
        return text
    kept: list[str] = []
    room = budget - 6
    for character in text[: characters - 1]:
        room -= escaped_size(character)
        if room < 0:
            break
        kept.append(character)
    # Cutting inside a combining sequence can leave a string that is no longer NFC.
    return unicodedata.normalize("NFC", "".join(kept) + "\u2026")


def readable(value: bytes) -> str:
    """Text for JSON: UTF-8 where it is (the detectors want the characters), else one character per byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
