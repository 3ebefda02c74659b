"""What of a call is judged: its text, as one JSON document (docs/library.md, "What is judged").

``{"fmi_input": ..., "arguments": {name: value}}``. Text, numbers, containers, dataclasses, attrs and pydantic objects
are read; any other object is named by its type only, so that neither a client object nor its credentials are walked.
"""

from __future__ import annotations

import dataclasses
import json
from collections import UserString, deque
from collections.abc import Mapping, Sequence, Set, ValuesView
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import orjson

from eve_proxy.enforcement.library.terms import Terms
from eve_proxy.model.errors import BodyTooLarge, JudgingFailed

_DEEPEST: Final = 64
_TEXTUAL: Final = (PurePath, UUID, Decimal, date, time, timedelta)
_TEXT: Final = (str, bytes, bytearray, memoryview, UserString)
_RECEIVERS: Final = ("self", "cls")
_RECEIVER: Final = object()  # stands for a method's object, which is not read unless it is a text itself
_NO_VALUE: Final = object()


def document_of(terms: Terms, args: tuple[Any, ...], kwargs: Mapping[str, Any], most: int) -> bytes:
    """The JSON document of one call, UTF-8.

    :param most: EVE_PROXY_MAX_BODY.
    :raises BodyTooLarge: the document is larger than ``most`` bytes.
    :raises JudgingFailed: it is nested more than 64 levels deep.
    :raises TypeError: the arguments do not fit the function.
    :raises Exception: whatever a callable ``fmi_input`` raises.
    """
    reader = _Reader(most)
    document: dict[str, Any] = {}
    if terms.fmi_input is not None:
        said = terms.fmi_input(*args, **kwargs) if callable(terms.fmi_input) else terms.fmi_input
        document["fmi_input"] = reader.plain(said)
    document["arguments"] = reader.plain(_arguments(terms, args, kwargs))
    try:
        data = orjson.dumps(document)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if len(data) > most:
        raise BodyTooLarge
    return data


def _arguments(terms: Terms, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    args, named = (*terms.held, *args), {**terms.named, **kwargs}
    receiver = next(iter(terms.signatures[0].parameters), None) if terms.signatures else None
    if receiver in _RECEIVERS:
        if args and not isinstance(args[0], _TEXT):
            args = (_RECEIVER, *args[1:])
        elif not isinstance(named.get(receiver, ""), _TEXT):
            named[receiver] = _RECEIVER
    for position, signature in enumerate(terms.signatures, 1):
        try:
            bound = signature.bind(*args, **named)
        except TypeError:
            if position == len(terms.signatures):
                raise
            continue
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if value is not _RECEIVER}
    return {"args": args, "kwargs": named}


class _Reader:
    """Copies values into plain JSON ones, counting."""

    def __init__(self, most: int) -> None:
        self._room = most

    def plain(self, value: Any, depth: int = 0) -> Any:
        self._take(1)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            self._take(len(value))
            return str.__str__(value) if type(value) is not str else value
        if isinstance(value, Enum):
            return self.plain(value.value, depth)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, UserString):
            return self.plain(value.data, depth)
        if isinstance(value, bytes | bytearray | memoryview):
            return self.plain(_text(bytes(value)), depth)
        if isinstance(value, _TEXTUAL):
            return self.plain(str(value), depth)
        if depth == _DEEPEST:
            raise JudgingFailed(f"the call's arguments are nested more than {_DEEPEST} levels deep")
        return self._container(value, depth + 1)

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            members = list(value.items())
            if all(type(key) is str for key, _ in members):
                self._take(sum(len(key) for key, _ in members))
                return {key: self.plain(member, depth) for key, member in members}
            # Not an object: 1 and "1" would be one member of it, and a member would go unread.
            return [[self.plain(key, depth), self.plain(member, depth)] for key, member in members]
        if isinstance(value, list | tuple | set | frozenset | deque):
            return [self.plain(member, depth) for member in value]
        fields = _fields(value)
        if fields is None and isinstance(value, Sequence | Set | ValuesView) and not isinstance(value, range):
            return [self.plain(member, depth) for member in value]
        if fields is None:
            kind = type(value)
            return {"unread": f"{kind.__module__}.{kind.__qualname__}"}
        return {name: self.plain(member, depth) for name, member in fields.items()}

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise BodyTooLarge


def _fields(value: Any) -> dict[str, Any] | None:
    """The declared fields of a data object; None for any other object."""
    kind = type(value)
    names: list[str]
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif isinstance(declared := getattr(kind, "__attrs_attrs__", None), tuple):
        names = [attribute.name for attribute in declared]
    elif isinstance(declared := getattr(kind, "model_fields", None) or getattr(kind, "__fields__", None), dict):
        names = list(declared)  # pydantic, both generations
        extra = getattr(value, "__pydantic_extra__", None)
        names += list(extra) if isinstance(extra, dict) else []
    else:
        return None
    found = {name: getattr(value, name, _NO_VALUE) for name in names}
    return {name: member for name, member in found.items() if member is not _NO_VALUE}


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
