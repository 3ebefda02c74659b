"""Whether a string that has the form of a credential is one: checksums, and the looks of examples. Pure."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from typing import Final

_BASE62: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM: Final = 6
_EXAMPLE: Final = re.compile(
    rb"(?i)example|sample|dummy|placeholder|change-?_?me|redacted|your[-_]|[-_]your|yourkey|yourtoken|insert|replace"
    rb"|notreal|fake|test[-_]"
    rb"|password|passw0rd|hunter2|foobar|deadbeef|\*\*\*|\.\.\.|<|\$\{|x{4}|(.)\1{4}"
)  # fmt: skip
# Azurite's key, which everybody has.
_PUBLIC: Final = (b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",)
# Neighbours in an alphabet or on a keyboard: so many in a row were typed, not drawn.
_ROWS: Final = (b"abcdefghijklmnopqrstuvwxyz", b"01234567890", b"qwertyuiop", b"asdfghjkl", b"zxcvbnm")
_RUN: Final = 6
_LEAST_BITS: Final = 3.2
_SHORT_BITS: Final = 2.5
_LONG: Final = 20


def crc32_in_base62(token: bytes) -> bool:
    """Whether the last six characters are the CRC-32 of those after the prefix, as GitHub and npm write it.

    Zero-padded base62, digits before capitals before small letters.
    """
    _, _, rest = token.partition(b"_")
    number = zlib.crc32(rest[:-_CHECKSUM])
    digits = []
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return bytes(reversed(digits)) == rest[-_CHECKSUM:]


def looks_drawn(value: bytes) -> bool:
    """Whether ``value`` can have been drawn at random: no example, nobody's alphabet, enough different characters."""
    if _EXAMPLE.search(value) or any(known in value for known in _PUBLIC):
        return False
    small = value.lower()
    for row in _ROWS:
        if any(row[at : at + _RUN] in small for at in range(len(row) - _RUN + 1)):
            return False
    return entropy(value) >= (_LEAST_BITS if len(value) >= _LONG else _SHORT_BITS)


def entropy(value: bytes) -> float:
    """Shannon entropy of the bytes of ``value``, in bits a byte; 0 for nothing."""
    size = len(value)
    return -sum([count / size * math.log2(count / size) for count in Counter(value).values()])
