"""Header fields: ordered, immutable, names compared without case (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from eve_proxy.model.lean import lean

# (name in lower case, name as received, value without surrounding whitespace)
Field: TypeAlias = tuple[bytes, bytes, bytes]


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """The fields in the order received. Scans are linear: a head has at most 128 fields."""

    fields: tuple[Field, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
        """From ``(name, value)`` pairs."""
        return cls(fields=tuple([(name.lower(), name, value) for name, value in pairs]))

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """``(lower-case name, value)`` pairs."""
        return iter([(lower, value) for lower, _, value in self.fields])

    def __len__(self) -> int:
        return len(self.fields)

    def get(self, name: bytes) -> bytes | None:
        """The first value of ``name`` (lower case), or None."""
        for lower, _, value in self.fields:
            if lower == name:
                return value
        return None

    def get_all(self, name: bytes) -> list[bytes]:
        """Every value of ``name`` (lower case), in order."""
        return [value for lower, _, value in self.fields if lower == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """The comma-separated members of every ``name`` field, lower case, none empty (RFC 9110 section 5.6.1)."""
        members = [member.strip(b" \t").lower() for value in self.get_all(name) for member in value.split(b",")]
        return [member for member in members if member]

    def without(self, names: frozenset[bytes]) -> Headers:
        """A copy that lacks every field whose lower-case name is in ``names``."""
        return Headers(fields=tuple([field for field in self.fields if field[0] not in names]))

    def adding(self, name: bytes, value: bytes) -> Headers:
        """A copy with one more field at the end."""
        return Headers(fields=(*self.fields, (name.lower(), name, value)))

    def replacing(self, name: bytes, value: bytes) -> Headers:
        """A copy in which ``name`` occurs exactly once, with ``value``."""
        return self.without(frozenset((name.lower(),))).adding(name, value)
