"""Canonical bytes: what a content hash is taken over, and the one spelling of a line (evidence.md).

The form is RFC 8785 (JCS). Three rules on values let a fast serializer with sorted keys yield it exactly: numbers
have at most three decimals, integral numbers are integers within the exact range of a double, and object keys are
ASCII (so that sorting bytes equals sorting UTF-16 code units, RFC 8785 section 3.2.3).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

HASH_TAG: Final = "sha256-"

# RFC 8785 section 3.2.2.3 builds on IEEE doubles; beyond this integers are no longer exact (RFC 7493 section 2.2).
_LARGEST = 2**53 - 1
# A certificate fits in 4,096 bytes. These bounds keep hostile input from costing more than that.
_DEEPEST = 8
_WIDEST = 256
_LONGEST = 4096


class NotCanonical(ValueError):
    """A value that has no place in a certificate. The message names the rule, never the value."""


def canonical_number(value: float) -> int | float:
    """``value`` with at most three decimals; an int when that is integral.

    :raises NotCanonical: not finite, or beyond 2**53 - 1.
    """
    if type(value) is float:
        if not -_LARGEST <= value <= _LARGEST:  # also False for NaN
            raise NotCanonical("a number is not finite or too large")
        value = round(value, 3)
        return int(value) if value.is_integer() else value
    if not -_LARGEST <= value <= _LARGEST:
        raise NotCanonical("an integer is too large")
    return int(value)


def plain(value: Any, depth: int = 0) -> Any:
    """A copy of a JSON value made of exact built-in types, objects sorted by key, integral floats as integers.

    No method of the value itself is called, so nothing it carries can run or raise.

    :raises NotCanonical: anything that JSON or the rules above do not allow, or that no certificate needs: too
        deep (cycles included), too wide, too long.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        if str.__len__(value) > _LONGEST:
            raise NotCanonical("a string is too long")
        return value
    if kind is int or kind is float:
        number = canonical_number(value)
        if number != value:
            raise NotCanonical("a number has more than three decimals")
        return number
    if depth == _DEEPEST:
        raise NotCanonical("nested too deeply")
    if kind is list:
        if len(value) > _WIDEST:
            raise NotCanonical("an array is too long")
        return [plain(member, depth + 1) for member in value]
    # Its real type: ``isinstance`` asks the value, which may say what it likes, or raise.
    if issubclass(kind, dict):
        return _plain_object(value, depth)
    raise NotCanonical("a value that is not JSON")


def _plain_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    if dict.__len__(value) > _WIDEST:
        raise NotCanonical("an object has too many keys")
    members = list(dict.items(value))
    for key, _ in members:
        if type(key) is not str or not key.isascii() or len(key) > _LONGEST:
            raise NotCanonical("a key is not short ASCII text")
    return {key: plain(member, depth + 1) for key, member in sorted(members, key=_first)}


def _first(member: tuple[str, Any]) -> str:
    return member[0]


def canonical_bytes(fields: dict[str, Any]) -> bytes:
    """The bytes that are hashed: every field but ``content_hash`` and ``signature``, as RFC 8785.

    :param fields: values that ``plain`` accepts; what it would change is written as it is.
    :raises TypeError: a string with lone surrogates, or an integer beyond 64 bits.
    """
    covered = fields.copy()
    del covered["content_hash"], covered["signature"]
    return orjson.dumps(covered, option=orjson.OPT_SORT_KEYS)


def content_hash(fields: dict[str, Any]) -> str:
    """``sha256-`` + hex over the canonical bytes.

    :raises TypeError: as ``canonical_bytes``.
    """
    return HASH_TAG + hashlib.sha256(canonical_bytes(fields)).hexdigest()
