"""JSON read by the letter, by other code than the codec's: what two readers could take for two things is nothing."""

from __future__ import annotations

import json
from typing import Any


class Doubtful(ValueError):
    """Not JSON, or JSON that two readers could read in two ways."""


def read(raw: bytes) -> Any:
    """The one value that ``raw`` is.

    :raises Doubtful: not UTF-8, a byte order mark, NaN and the like, a name twice in one object, too much nesting.
    """
    try:
        return _checked(json.loads(raw.decode("utf-8"), object_pairs_hook=list_of_members, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise Doubtful from error


class Members(list[tuple[str, Any]]):
    """An object as it stands in the text, all of its members in order."""


def list_of_members(pairs: list[tuple[str, Any]]) -> Members:
    """For ``json``."""
    return Members(pairs)


def depth(value: Any) -> int:
    """How many arrays and objects are inside one another at most."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def _checked(value: Any) -> Any:
    if isinstance(value, Members):
        names = [name for name, _ in value]
        if len(set(names)) != len(names):
            raise Doubtful
        return {name: _checked(member) for name, member in value}
    return [_checked(member) for member in value] if isinstance(value, list) else value


def _refuse(_name: str) -> None:
    raise Doubtful
