"""Reads what ``strace -f`` wrote: which system calls began and ended, in which order. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^(?P<thread>\d+)\s+(?P<rest>.*)$")
_BEGINS = re.compile(r"^(?P<name>\w+)\((?P<arguments>.*?)(?P<end> <unfinished \.\.\.>|\)\s+= (?P<result>-?\d+|\?).*)?$")
_RESUMES = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>.*\)\s+= (?P<result>-?\d+|\?)")


@dataclass(frozen=True)
class Call:
    """One system call.

    :ivar begun: where in the log it began; ``ended``: where it returned, or None when it did not.
    """

    thread: str
    name: str
    arguments: str
    begun: int
    ended: int | None
    result: int | None

    @property
    def fd(self) -> int:
        """Its first argument."""
        return int(self.arguments.split(",")[0])


def calls(log: Path) -> list[Call]:
    """Every call, in the order in which they began."""
    return sorted(_calls(log), key=lambda call: call.begun)


def _calls(log: Path) -> Iterator[Call]:
    open_calls: dict[str, tuple[str, str, int]] = {}
    with log.open(errors="replace") as lines:
        for number, line in enumerate(lines):
            outer = _LINE.match(line)
            if outer is None:
                continue
            thread, rest = outer["thread"], outer["rest"]
            if (resumed := _RESUMES.match(rest)) and thread in open_calls:
                name, arguments, begun = open_calls.pop(thread)
                yield Call(thread, name, arguments, begun, number, _number(resumed["result"]))
            elif begins := _BEGINS.match(rest):
                if begins["result"] is None:
                    open_calls[thread] = (begins["name"], begins["arguments"], number)
                else:
                    result = _number(begins["result"])
                    yield Call(thread, begins["name"], begins["arguments"], number, number, result)
    for thread, (name, arguments, begun) in open_calls.items():
        yield Call(thread, name, arguments, begun, None, None)


def _number(text: str) -> int | None:
    return None if text == "?" else int(text)
