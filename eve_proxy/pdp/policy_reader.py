"""Typed access to plain data that collects faults instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import re2

MOST_ENTRIES: Final = 1000
T = TypeVar("T")

_PATTERN_OPTIONS = re2.Options()
_PATTERN_OPTIONS.log_errors = False
# Latin-1: patterns see bytes, and bytes are not always UTF-8.
_PATTERN_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_PATTERN_OPTIONS.max_mem = 8 << 20


class PolicyReader:
    """Reads on after a fault, so that all of them are reported; what is made of a faulty file is never used.

    :ivar faults: one line each: where, what is wrong, what to do.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, where: str, what: str) -> None:
        """Note one fault."""
        self.faults.append(f"{where}: {what}")

    def mapping(self, where: str, value: Any, known: frozenset[str] | None) -> dict[str, Any]:
        """A mapping with text keys, all of them ``known`` (None: any); an empty one stands in for anything else."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(where, "must be a mapping (key: value)")
            return {}
        kept = {}
        for key, item in value.items():
            if not isinstance(key, str):
                self.fault(where, f"the key {key!r:.80} is not text; put it in quotes")
            elif known is not None and key not in known:
                self.fault(where, f"unknown key {key!r:.80}; known are {', '.join(sorted(known))}")
            else:
                kept[key] = item
        return kept

    def entries(self, where: str, value: Any, most: int = MOST_ENTRIES) -> list[Any]:
        """A list; absent is empty."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(where, "must be a list (- entry)")
            return []
        if len(value) > most:
            self.fault(where, f"has {len(value)} entries, more than {most}")
        return value[:most]

    def each(self, where: str, match: dict[str, Any], key: str, read: Callable[[Any], T]) -> tuple[T, ...] | None:
        """Every entry of an optional, non-empty list, through ``read``, whose ValueError becomes a fault."""
        if key not in match:
            return None
        entries = self.entries(f"{where}.{key}", match[key])
        if not entries:
            # An empty list would match nothing; leaving the key out matches everything. Nobody should have to guess.
            self.fault(f"{where}.{key}", "is empty; list something or leave the key out")
        made = []
        for entry in entries:
            try:
                made.append(read(entry))
            except ValueError as error:
                self.fault(f"{where}.{key}", f"{entry!r:.80} {error}")
        return tuple(made)

    def text(self, where: str, value: Any, most: int) -> str:
        """Printable text of 1 to ``most`` characters; empty text stands in for anything else."""
        if value is None:
            self.fault(where, "is missing")
        elif not isinstance(value, str):
            self.fault(where, f'must be text; put it in quotes: "{value!s:.80}"')
        elif not 1 <= len(value) <= most or not value.isprintable():
            self.fault(where, f"must have 1 to {most} printable characters")
        else:
            return value
        return ""

    def optional(self, where: str, value: Any, most: int) -> str | None:
        """As ``text``, None when absent."""
        return None if value is None else self.text(where, value, most)

    def choice(self, where: str, value: Any, choices: dict[str, T], otherwise: T) -> T:
        """What a word stands for."""
        if isinstance(value, str) and value in choices:
            return choices[value]
        self.fault(where, f"must be one of {', '.join(choices)}")
        return otherwise

    def pattern(self, where: str, value: Any) -> Any:
        """A compiled RE2 pattern over bytes, None when absent."""
        return None if value is None else self.required_pattern(where, value)

    def required_pattern(self, where: str, value: Any) -> Any:
        """As ``pattern``; absent is a fault."""
        if not isinstance(value, str):
            self.fault(where, "must be a pattern in quotes")
            return None
        try:
            return re2.compile(value.encode("utf-8", "replace"), _PATTERN_OPTIONS)
        except re2.error as error:
            said = error.args[0] if error.args else "not a pattern"
            said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            self.fault(where, f"{said}; RE2 syntax is needed: no look-around, no back-references")
            return None
