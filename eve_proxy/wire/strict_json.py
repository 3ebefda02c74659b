"""JSON that no two readers read differently: RFC 8259 without its tolerances.

UTF-8 without a byte order mark, no NaN, no name that occurs twice in an object, at any level. Of two equal names one
reader takes the first and another the last: a question, or an answer, that is two at once.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(document: bytes) -> Any:
    """The value of ``document``.

    Half of a surrogate pair, written as an escape, is let through as Python has it: whether a text can be used is for
    whoever uses it to say.

    :raises ValueError: not JSON, or not strictly; nested deeper than the parser goes (hundreds of levels).
    """
    value = _as_we_spell_it(document)
    try:
        return _DECODER.decode(document.decode()) if value is None else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _as_we_spell_it(document: bytes) -> Any:
    """The value, if ``document`` is exactly how orjson writes it, else None.

    orjson is fast but silently takes the last of two equal names; what it then writes is shorter than what it read.
    """
    try:
        value = orjson.loads(document)
        return value if orjson.dumps(value) == document else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# One for all (``json.loads`` builds a new one per call), for documents with spaces or escapes of their own.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
