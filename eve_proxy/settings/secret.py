"""A value that must not be printed."""

from __future__ import annotations

from typing import Final

HIDDEN: Final = "******"


class Secret:
    """Bytes that only ``reveal`` shows: not ``repr``, not ``str``, not a traceback, not a dataclass that holds one."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__
