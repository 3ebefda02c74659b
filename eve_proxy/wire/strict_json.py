"""JSON that no two readers read differently: RFC 8259 without its tolerances.

UTF-8 without a byte order mark, no NaN, no name that occurs twice in an object, at any level. Of two equal names one
reader takes the first and another the last: a question, or an answer, that is two at once.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

# Nobody who asks or answers has a hundred. Counting them in Python, as names are, takes a tenth of a second.
MOST_OBJECTS: Final = 100_000
# The same on every Python: its own bound has moved from release to release.
DEEPEST: Final = 500


def loads(document: bytes) -> Any:
    """The value of ``document``.

    Half of a surrogate pair, written as an escape, is let through as Python has it: whether a text can be used is for
    whoever uses it to say.

    :raises ValueError: not JSON, or not strictly; nested deeper than ``DEEPEST``; more than ``MOST_OBJECTS``.
    """
    # Too many braces may stand in a text; then it is read slowly, but to the end.
    value = _as_we_spell_it(document) if document.count(b"{") <= MOST_OBJECTS else None
    return _by_hand(document.decode()) if value is None else value


def _by_hand(text: str) -> Any:
    """For documents with spaces or escapes of their own, and for large ones: it stops at the first object too many."""
    objects = 0

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a name occurs twice")
        if objects > MOST_OBJECTS:
            raise ValueError(f"more than {MOST_OBJECTS} objects")
        return members

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [each for item in level if isinstance(item, dict | list) for each in _members(item)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _members(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item


def _as_we_spell_it(document: bytes) -> Any:
    """The value, if ``document`` is exactly how orjson writes it, else None.

    orjson is fast but silently takes the last of two equal names; what it then writes is shorter than what it read.
    """
    try:
        value = orjson.loads(document)
        return value if orjson.dumps(value) == document else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
