"""Encodings undone, all of one kind in a window with a single call that runs in C.

The tokens of one kind are padded and set in a row, so that a run which was wrapped into lines comes out whole and
single ones come out apart.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from typing import Final

import re2

from eve_proxy.pdp.reading import percent_decoded

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = b"0123456789"
_BASE64 = bytes([code if code in _LETTERS + _DIGITS + b"+/" else 0x20 for code in range(256)])
_TO_BASE64: Final = bytes([{0x2D: 0x2B, 0x5F: 0x2F}.get(code, _BASE64[code]) for code in range(256)])
_TO_WORDS: Final = bytes([code if code in _LETTERS + _DIGITS else 0x20 for code in range(256)])
_HEX: Final = b"0123456789abcdefABCDEF"
_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LOWER32: Final = bytes.maketrans(_BASE32.lower(), _BASE32)
_TO_INT32: Final = bytes.maketrans(_BASE32, b"0123456789abcdefghijklmnopqrstuv")
_PAD64: Final = (b"", b"AAAAAAA", b"AAAAAA", b"AAAAA")
_PAD32: Final = tuple([b"A" * (-size % 8) for size in range(8)])
_NUMBERS: Final = {b"%d" % code: bytes([code]) for code in (9, 10, 13, *range(32, 127))} | {
    b"0%d" % code: bytes([code]) for code in range(32, 100)
}
_OCTALS: Final = {b"%o" % code: bytes([code]) for code in range(32, 127)}
_PLACES: Final = {spelled: bytes([96 + at]) for at in range(1, 27) for spelled in (b"%d" % at, b"%02d" % at)}
_HEXES: Final = {
    prefix + digits: bytes([code])
    for code in range(32, 127)
    for digits in (b"%02x" % code, b"%02X" % code)
    for prefix in (b"", b"0x", b"0X", b"x", b"00", b"u00", b"U00")
}
_BITS = {f"{code:08b}".encode(): bytes([code]) for code in range(32, 127)}
_BITS |= {f"{code:07b}".encode(): bytes([code]) for code in range(64, 127)}
_LIST = re2.compile(rb"(?:[0-9][0-9a-fA-F]{0,3}[^0-9]{1,20}){4}[0-9]")
_BIT_LIST = re2.compile(rb"[01]{7,8}[^0-9]{1,4}[01]{7,8}")
_LONG = re2.compile(rb"[A-Za-z0-9+/_-]{6}")
_HEX_RUN = re2.compile(rb"(?:[0-9a-fA-F]{2}[^0-9a-zA-Z]{0,3}(?:0?x)?){5}")
_BASE32_RUN = re2.compile(rb"[A-Z2-7]{8}|[a-z2-7]{8,}=|[a-z]+[2-7][a-z2-7]{6}")
_PERCENT = re2.compile(rb"(?:%[0-9a-fA-F]{2}[^%]{0,3}){3}")
_ROT13: Final = bytes.maketrans(_LETTERS, _LETTERS[13:26] + _LETTERS[:13] + _LETTERS[39:] + _LETTERS[26:39])
_ATBASH: Final = bytes.maketrans(_LETTERS, _LETTERS[25::-1] + _LETTERS[:25:-1])


def decoded(text: bytes) -> Iterator[bytes]:
    """What ``text`` holds in each encoding that occurs in it; each result is at most as long as ``text``."""
    if _PERCENT.search(text):
        yield percent_decoded(text)
    if _LONG.search(text):
        yield from _base64(text)
    if _HEX_RUN.search(text) or _BASE32_RUN.search(text):
        words = text.translate(_TO_WORDS).split()
        yield _hex(words)
        yield _base32(words)


def listed(text: bytes) -> Iterator[bytes]:
    """What the lists of numbers in ``text`` spell: code points (decimal, hex, octal, binary), alphabet positions."""
    tables: tuple[dict[bytes, bytes], ...] = (_NUMBERS, _HEXES, _OCTALS, _PLACES) if _LIST.search(text) else ()
    if _BIT_LIST.search(text):
        tables += (_BITS,)
    if tables:
        yield from _looked_up(text, tables)


def substituted(text: bytes) -> Iterator[bytes]:
    """``text`` under the ciphers that need no key: rot13, atbash, and backwards."""
    yield text.translate(_ROT13)
    yield text.translate(_ATBASH)
    yield text[::-1]


def shifted(text: bytes) -> Iterator[bytes]:
    """``text`` under every other Caesar shift."""
    upper, lower = _LETTERS[:26], _LETTERS[26:]
    for by in (*range(1, 13), *range(14, 26)):
        yield text.translate(bytes.maketrans(_LETTERS, upper[by:] + upper[:by] + lower[by:] + lower[:by]))


def _base64(text: bytes) -> Iterator[bytes]:
    tokens = [token for token in text.translate(_TO_BASE64).split() if len(token) > 3]
    # A token of honest prose decodes to nothing; it only must not disturb the ones around it.
    for kept in (tokens, [token for token in tokens if len(token) > 7 and not token.islower()]):
        row = b"".join([token + _PAD64[len(token) & 3] if len(token) & 3 else token for token in kept])
        try:
            yield binascii.a2b_base64(row)
        except binascii.Error:
            pass  # Cut short: every token was padded, so this is a row of nothing.


def _hex(words: list[bytes]) -> bytes:
    kept = []
    for word in words:
        if word[:2] in (b"0x", b"0X"):
            word = word[2:]
        if not len(word) & 1 and not word.translate(None, _HEX):
            kept.append(word)
    return binascii.unhexlify(b"".join(kept))


def _base32(words: list[bytes]) -> bytes:
    kept = []
    for word in words:
        if len(word) > 6:
            word = word.translate(_LOWER32) if word.islower() else word
            if not word.translate(None, _BASE32):
                kept.append(word + _PAD32[len(word) & 7])
    if not kept:
        return b""
    row = b"".join(kept)
    # A base that is a power of two: the one kind of int() that is linear.
    return int(row.translate(_TO_INT32), 32).to_bytes(len(row) * 5 // 8, "big")


def _looked_up(text: bytes, tables: tuple[dict[bytes, bytes], ...]) -> Iterator[bytes]:
    words = text.translate(_TO_WORDS).split()
    for table in tables:
        find: Callable[[bytes], bytes | None] = table.get
        yield b"".join(filter(None, map(find, words)))
