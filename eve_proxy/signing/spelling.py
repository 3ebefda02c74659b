"""Reading a certificate back: which fields it must have, and the one spelling its line must have (evidence.md)."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from eve_proxy.model.certificate import FIELDS, SCHEMA
from eve_proxy.signing.canonical import NotCanonical, plain

EDITED: Final = "edited"
RESPACED: Final = "respaced"
DUPLICATE_KEYS: Final = "duplicate-keys"

_NESTED: Final = {
    "request": ("method", "scheme", "host", "port", "path_sha256", "body_sha256", "body_bytes", "request_id"),
    "policy": ("set", "sha256"),
    "witness": ("seq", "prev", "key_id", "signature"),
    "log": ("id", "seq", "prev"),
}
_TEXTS: Final = (
    "certificate_id", "reason", "caller", "org_id", "timestamp", "content_hash", "signature", "algorithm", "schema",
    "kind", "key_id", "coverage", "governor",
)  # fmt: skip


class Unacceptable(ValueError):
    """Something that is not a certificate of ours, or no longer.

    :ivar fault: a constant name: ``edited``, ``respaced`` or ``duplicate-keys``.
    """

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


def arrange(value: Any) -> dict[str, Any]:
    """A copy of a certificate with exact built-in types, keys in table order, integral numbers as integers.

    :param value: anything at all; only a dict can succeed.
    :raises Unacceptable: a field is missing, unknown or of the wrong type.
    """
    if not isinstance(value, dict) or dict.__len__(value) != len(FIELDS):
        raise Unacceptable(EDITED, "not a certificate: its fields are not those of " + SCHEMA)
    try:
        fields = plain(value)
        ordered = {name: fields[name] for name in FIELDS}
    except NotCanonical as error:
        raise Unacceptable(EDITED, f"not a certificate: {error}") from error
    except KeyError as error:
        raise Unacceptable(EDITED, f"not a certificate: it lacks {error.args[0]}") from error
    for name, keys in _NESTED.items():
        nested = ordered[name]
        if nested is not None:
            ordered[name] = _ordered(name, nested, keys)
    if any(type(ordered[name]) is not str for name in _TEXTS) or ordered["schema"] != SCHEMA:
        raise Unacceptable(EDITED, "not a certificate of the schema " + SCHEMA)
    if ordered["record"] is not None and type(ordered["record"]) is not dict:
        raise Unacceptable(EDITED, "not a certificate: record is not an object")
    witness = ordered["witness"]
    if witness is not None and tuple(map(type, witness.values())) != (int, str, str, str):
        raise Unacceptable(EDITED, "not a certificate: witness is not a signature over a head of the journal")
    log = ordered["log"]
    if log is not None and (type(log["id"]), type(log["seq"]), type(log["prev"])) != (str, int, str):
        raise Unacceptable(EDITED, "not a certificate: log is not a place in a journal")
    return ordered


def _ordered(name: str, nested: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if type(nested) is not dict or len(nested) != len(keys) or not all(key in nested for key in keys):
        raise Unacceptable(EDITED, f"not a certificate: the fields of {name} are not those of {SCHEMA}")
    return {key: nested[key] for key in keys}


def read_line(raw: bytes) -> dict[str, Any]:
    """The certificate in a journal line (no newline), which must be spelled as this package spells it.

    :raises Unacceptable: not JSON, not a certificate, or the same certificate in another spelling.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Unacceptable(EDITED, "not a line of JSON") from error
    try:
        fields = arrange(value)
    except Unacceptable:
        _refuse_duplicate_keys(raw)
        raise
    if orjson.dumps(fields) != raw:
        _refuse_duplicate_keys(raw)
        raise Unacceptable(RESPACED, "the same values in another spelling: spaces, key order, escapes or numbers")
    return fields


def read_header(raw: bytes) -> dict[str, Any]:
    """The certificate in an ``X-EVE-Decision-Cert`` value: the line, or the line with everything non-ASCII escaped.

    :raises Unacceptable: as ``read_line``.
    """
    try:
        return read_line(raw)
    except Unacceptable as error:
        if error.fault != RESPACED or not raw.isascii():
            raise
        fields = arrange(orjson.loads(raw))
        if json.dumps(fields, separators=(",", ":")).encode("ascii") != raw:
            raise
        return fields


def _refuse_duplicate_keys(raw: bytes) -> None:
    """Say so when the reason for a wrong spelling is a key that occurs twice: readers disagree on which one counts."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Unacceptable(DUPLICATE_KEYS, "a key occurs twice in one object")
        return found

    try:
        json.loads(raw, object_pairs_hook=unique)
    except Unacceptable:
        raise
    except (ValueError, RecursionError):
        return  # some other fault of JSON, which the caller reports
