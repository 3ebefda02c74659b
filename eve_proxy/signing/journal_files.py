"""The files of journals: which of them belong to one chain, and in which order.

Imports neither Twisted nor zope: verifying, exporting and shipping stand on it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from eve_proxy.signing.journal_walk import LONGEST, read_lines
from eve_proxy.signing.spelling import Unacceptable, read_line

# What lies beside journals and is none.
_OTHERS: Final = (".lock", ".checkpoint", ".new", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Files that continue each other.

    :ivar log_id: of their records; None for a file whose first line is no record.
    :ivar paths: in the order of the chain.
    """

    log_id: str | None
    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The newest file, and how many come before it."""
        before = len(self.paths) - 1
        return f"{self.paths[-1]}{f' and {before} before it' if before else ''}"

    def lines(self) -> ChainLines:
        """All of its lines."""
        return ChainLines(self.paths)


class ChainLines:
    """The lines of several files as if they were one file, and which file a line is in. Iterated once."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._begun: list[tuple[int, Path]] = []

    def __iter__(self) -> Iterator[bytes]:
        number, torn = 1, b""
        for path in self._paths:
            self._begun.append((number, path))
            for line in lines_of(path):
                if torn:
                    line, torn = (torn + line)[:LONGEST], b""
                if line.endswith(b"\n") or len(line) >= LONGEST:
                    number += 1
                    yield line
                else:
                    torn = line  # the last line of this file lacks its end; only the last file's may
        if torn:
            yield torn

    def place(self, number: int) -> tuple[Path, int]:
        """The file of line ``number`` (from 1), and its number there."""
        first, path = max((begun for begun in self._begun if begun[0] <= number), key=lambda begun: begun[0])
        return path, number - first + 1


def find_journals(directory: Path) -> list[Path]:
    """Every file below ``directory`` that is named like a journal: live, of workers and programs, rotated, damaged."""
    return sorted(
        child
        for child in directory.rglob("*")
        if ".jsonl" in child.name and not child.name.endswith(_OTHERS) and child.is_file()
    )


def chains(paths: Iterable[Path]) -> list[Chain]:
    """Sort files into chains, by what their first lines say. Empty files are left out: a rotation may have just begun.

    A file that was set aside as damaged, and one whose first line is no record, stand alone.
    :raises OSError: a file cannot be read.
    """
    alone: list[Chain] = []
    logs: dict[str, list[tuple[int, Path]]] = {}
    for path in paths:
        line = next(lines_of(path), b"")
        if not line:
            continue
        place = place_of(line)
        if place is None or ".damaged-" in path.name:
            alone.append(Chain(log_id=None, paths=(path,)))
        else:
            logs.setdefault(place[0], []).append((place[1], path))
    found = [
        Chain(log_id=log_id, paths=tuple(path for _, path in sorted(files, key=lambda file: (file[0], str(file[1])))))
        for log_id, files in logs.items()
    ]
    return sorted([*alone, *found], key=lambda chain: str(chain.paths[-1]))


def place_of(line: bytes) -> tuple[str, int] | None:
    """Log id and number of the record on a line; None when it is no record with a place."""
    try:
        log = read_line(line.removesuffix(b"\n"))["log"]
    except Unacceptable:
        return None
    return None if log is None else (log["id"], log["seq"])


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of one file with their newlines; what logrotate compressed (``.gz``) is unpacked on the way.

    :raises OSError: it cannot be read, or not unpacked.
    """
    if path.suffix != ".gz":
        with path.open("rb") as stream:
            yield from read_lines(stream)
        return
    try:
        with gzip.open(path, "rb") as unpacked:
            yield from read_lines(cast("BinaryIO", unpacked))
    except (EOFError, zlib.error) as error:
        raise OSError(None, f"damaged, or still being compressed: {error}", str(path)) from error
