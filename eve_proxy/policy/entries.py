"""Comma-separated settings: read every entry, and report every one that is wrong in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from eve_proxy.model.text import clean

T = TypeVar("T")


def read_entries(text: str, read: Callable[[str], T]) -> tuple[T, ...]:
    """``read`` applied to each entry; whitespace around entries and blank ones (a trailing comma) do not count.

    :param read: raises ValueError with what to write instead of its entry.
    :raises ValueError: one line that quotes each bad entry with its remedy. It does not name the variable: the caller
        knows it. A text of nothing but blanks and commas is an error too: it must not quietly mean "no rule".
    """
    values: list[T] = []
    faults: list[str] = []
    entries = [entry for entry in map(str.strip, text.split(",")) if entry]
    if not entries and text:
        raise ValueError("it lists nothing; write at least one entry")
    for entry in entries:
        try:
            values.append(read(entry))
        except ValueError as error:
            faults.append(f'"{clean(entry, 80)}": {error}')
    if faults:
        raise ValueError("; ".join(faults))
    return tuple(values)
