"""Frozen values that are made at half the cost.

The ``__init__`` of a frozen dataclass sets each field with a call of ``object.__setattr__``, and a request makes a
dozen values of up to seventeen fields. Here a value is filled while it still is an instance of an open twin of its
class, by plain assignment, and becomes frozen when the last field is in its place. Nobody sees it before.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def lean(cls: type[T]) -> type[T]:
    """Decorate a ``@dataclass(frozen=True, slots=True, kw_only=True)``; nothing but its speed changes.

    :raises TypeError: at import, for what this does not cover: fields that are positional, made by a factory or left
        out of the constructor, a ``__post_init__``, a base class that is not ``object``.
    """
    made: list[Any] = list(fields(cls))  # type: ignore[arg-type]
    plain = all(field.init and field.kw_only and field.default_factory is MISSING for field in made)
    if not plain or hasattr(cls, "__post_init__") or cls.__bases__ != (object,):
        raise TypeError(f"{cls.__name__} is more than a plain frozen value")
    # Both, or the interpreter would still call the frozen class's for either.
    opened = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    twin = type(cls.__name__, (cls,), opened)
    scope: dict[str, Any] = {"_new": object.__new__, "_open": twin, "_frozen": cls}
    parameters = []
    for field in made:
        if field.default is MISSING:
            parameters.append(field.name)
        else:
            scope[f"_default_{field.name}"] = field.default
            parameters.append(f"{field.name}=_default_{field.name}")
    lines = [
        f"def __new__(_, *, {', '.join(parameters)}):",
        "_value = _new(_open)",
        *[f"_value.{field.name} = {field.name}" for field in made],
        "_value.__class__ = _frozen",
        "return _value",
    ]
    # As dataclasses itself does: a signature cannot be made in another way, and every part of this text is ours.
    exec("\n ".join(lines), scope)  # noqa: S102
    cls.__new__ = scope["__new__"]  # type: ignore[method-assign]
    cls.__reduce__ = _reduced  # type: ignore[assignment, method-assign]
    del cls.__init__
    return cls


def _reduced(value: Any) -> tuple[Any, ...]:
    """For copies, and for errors that cross to another process with their certificate (pickle)."""
    return _again, (type(value), {field.name: getattr(value, field.name) for field in fields(value)})


def _again(cls: type[T], values: dict[str, Any]) -> T:
    return cls(**values)
