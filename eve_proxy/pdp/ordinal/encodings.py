"""Encodings of bytes undone: base64, base32, base85, hex, percent, and lists of numbers.

The runs of one kind are decoded in a row with few calls that run in C. Each run is set apart as well, so that a
sentence that was encoded by itself comes out by itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import re2

from eve_proxy.pdp.lexicon import APART, bytes_options
from eve_proxy.pdp.reading import percent_decoded

_LONGEST_APART: Final = 4096
_LEAST_SMALL32: Final = 16
_MOST_APART: Final = 1024
# Runs are split off, which is quicker than a search where there are many.
_TO_RUNS: Final = bytes(
    [code if (chr(code).isalnum() and code < 0x80) or code in b"+/_-" else 0x20 for code in range(256)]
)
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_PAD64: Final = (b"", b"AAAAAAA", b"AAAAAA", b"AAAAA")
_TO_UPPER: Final = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALPHABET32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TO_INT32: Final = bytes.maketrans(_ALPHABET32, b"0123456789abcdefghijklmnopqrstuv")
_EITHER32: Final = _ALPHABET32 + _ALPHABET32.lower()
_ALPHABET16: Final = b"0123456789abcdefABCDEF"
_RUN85: Final = re.compile(rb"[!-z]{16,4096}")
_MOST_85: Final = 32
_BITS: Final = re.compile(rb"(?<![0-9])[01]{7,8}(?:[^0-9]{0,4}[01]{7,8})+|(?:[01]{8}){2,}")
_PERCENT: Final = re2.compile(rb"(?:%[0-9a-fA-F]{2}[^%]{0,3}){3}", bytes_options())
_PRINTABLE: Final = re2.compile(rb"(?:=[0-9A-F]{2}[^=]{0,3}){3}", bytes_options())
_TEXT: Final = (9, 10, 13, *range(32, 127))
_DECIMAL: Final = {spelled: bytes([code]) for code in _TEXT for spelled in (b"%d" % code, b"%03d" % code)}
_OCTAL: Final = {spelled: bytes([code]) for code in range(32, 127) for spelled in (b"%o" % code, b"0%o" % code)}
# 68, 0x68, x68, u0068, 00E9
_HEX: Final = {
    prefix + digits: bytes([code])
    for code in range(32, 127)
    for digits in (b"%02x" % code, b"%02X" % code)
    for prefix in (b"", b"0x", b"0X", b"x", b"X", b"00", b"u00", b"U00", b"u")
}
_TO_WORDS: Final = bytes([code if chr(code).isalnum() and code < 0x80 else 0x20 for code in range(256)])
_LEAST_NUMBERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What one encoding gave.

    :ivar row: everything in a row, as for text that was wrapped into lines.
    :ivar apart: each run by itself, far enough from the next.
    """

    row: bytes
    apart: bytes = b""


def decoded(text: bytes, *, within: bool, apart: bool = True) -> Iterator[Decoded]:
    """What ``text`` holds in each encoding that occurs in it.

    :param within: ``text`` begins in the middle of something: its first run may begin anywhere in a group.
    :param apart: runs are wanted apart as well.
    """
    if _PERCENT.search(text):
        yield Decoded(row=percent_decoded(text))
    if _PRINTABLE.search(text):
        yield Decoded(row=binascii.a2b_qp(text))
    runs = _runs(text)
    mixed = [run for run in runs if not (run.isalpha() and run[1:].islower())]
    if mixed:
        if within:
            mixed += [mixed[0][cut:] for cut in (1, 2, 3)]
        yield _each([_padded(run) for run in mixed], binascii.a2b_base64, apart=apart)
    hexes = _hexes(runs)
    if hexes:
        yield _each(hexes, binascii.unhexlify, apart=apart)
    # Small letters are words of prose and of code, unless there are many.
    likely = [run for run in runs if run.isupper() or (len(run) >= _LEAST_SMALL32 and run.islower())]
    words = [run for run in likely if not run.translate(None, _EITHER32)]
    if words:
        made = [_base32(word) for word in words]
        yield Decoded(row=b"".join(made), apart=APART.join(made))


def _runs(text: bytes) -> list[bytes]:
    return [run for run in text.translate(_TO_RUNS).split() if len(run) > 7]


def _hexes(runs: list[bytes]) -> list[bytes]:
    bare = [run[2:] if run[:2] in (b"0x", b"0X") else run for run in runs]
    return [run for run in bare if not len(run) & 1 and not run.translate(None, _ALPHABET16)]


def base85(text: bytes) -> Iterator[Decoded]:
    """What the words of ``text`` hold in either base85; a bounded number of them."""
    made = []
    for word in _RUN85.findall(text)[:_MOST_85]:
        for decode in (base64.b85decode, base64.a85decode):
            try:
                made.append(decode(word.removeprefix(b"<~").removesuffix(b"~>")))
            except ValueError:
                pass  # Not of this kind.
    if made:
        yield Decoded(row=APART.join(made))


def listed(text: bytes) -> Iterator[Decoded]:
    """What the lists of numbers in ``text`` spell: code points in decimal, hex, octal and binary."""
    bits = _BITS.findall(text.replace(b"0b", b" ")) if b"0" in text and b"1" in text else []
    if bits:
        yield Decoded(row=b"\n".join(map(_from_bits, bits)))
    words = text.translate(_TO_WORDS).split()
    for table in (_DECIMAL, _HEX, _OCTAL):
        find: Callable[[bytes], bytes | None] = table.get
        row = b"".join(filter(None, map(find, words)))
        if len(row) >= _LEAST_NUMBERS:
            yield Decoded(row=row)


def _padded(run: bytes) -> bytes:
    run = run.translate(_TO_STANDARD)
    return run + _PAD64[len(run) & 3] if len(run) & 3 else run


def _each(runs: list[bytes], decode: Callable[[bytes], bytes], *, apart: bool) -> Decoded:
    return Decoded(
        row=_tried(decode, b"".join(runs)),
        apart=APART.join([_tried(decode, run) for run in runs[:_MOST_APART] if len(run) <= _LONGEST_APART])
        if apart
        else b"",
    )


def _tried(decode: Callable[[bytes], bytes], run: bytes) -> bytes:
    try:
        # NULs come from padding, and stand between the letters of UTF-16.
        return decode(run).replace(b"\0", b"")
    except binascii.Error:
        return b""  # Cut short: a run of nothing.


def _base32(run: bytes) -> bytes:
    row = run.translate(_TO_UPPER)
    row += b"A" * (-len(row) % 8)
    # A base that is a power of two: the one kind of int() that is linear.
    return int(row.translate(_TO_INT32), 32).to_bytes(len(row) * 5 // 8, "big")


def _from_bits(run: bytes) -> bytes:
    groups = re.findall(rb"[01]+", run)
    if len(groups) == 1 or all(not len(group) % 8 for group in groups):
        bits = b"".join(groups)
        groups = [bits[at : at + 8] for at in range(0, len(bits) - 7, 8)]
    codes = [int(group, 2) for group in groups if len(group) <= 8]
    return bytes([code for code in codes if 8 < code < 127])
