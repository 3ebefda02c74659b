"""Bytes as a series of choices: how an input becomes a sequence of edits. Used up, it goes on with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads ``data`` from its front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """There are bytes left."""
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end."""
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data))

    def below(self, bound: int) -> int:
        """A number from 0 to ``bound`` - 1; ``bound`` is at most 65,536."""
        return int.from_bytes(self.take(1 if bound <= 256 else 2), "big") % bound

    def of(self, options: Sequence[T]) -> T:
        """One of ``options``, which are not empty."""
        return options[self.below(len(options))]

    def flag(self) -> bool:
        """Yes or no."""
        return bool(self.below(2))

    def text(self, most: int = 40) -> str:
        """Text of at most ``most`` characters, lone surrogates included."""
        return self.take(self.below(most + 1)).decode("utf-8", "surrogateescape")
