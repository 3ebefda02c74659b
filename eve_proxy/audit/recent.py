"""The last records of a live journal by id, found in its files when somebody asks.

Nothing is kept while requests are served: the journal is the index's memory. Whoever asks makes it read what came since
the last time, so that a request pays nothing, a restart loses nothing, and a rotation only makes it read two files.

Blocks, and is used by one thread at a time. No Twisted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Final

from eve_proxy.audit.predecessor import rotated_files
from eve_proxy.signing.journal_files import chains
from eve_proxy.signing.journal_walk import LONGEST

# How much of the journal's end can be asked for: some 30,000 records, whose ids take 6 MiB of memory.
WINDOW: Final = 32 << 20
_BLOCK: Final = 1 << 20
_BEFORE_ID: Final = b'{"certificate_id":"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a journal has come.

    :ivar identity: device and inode of its present file.
    :ivar end: durable bytes in it.
    """

    identity: tuple[int, int]
    end: int


class Recent:
    """The last ``window`` bytes of the journal at ``path``, rotated files included."""

    def __init__(self, path: Path, window: int = WINDOW) -> None:
        self._path = path
        self._window = window
        self._segments: list[_Segment] = []  # in the order of the chain

    def find(self, standing: Standing, certificate_id: str) -> bytes | None:
        """The line with that id, without newline; None when it is not among the last.

        :raises OSError: the journal cannot be read.
        """
        self._follow(standing)
        wanted = certificate_id.encode("utf-8", "replace")
        for segment in reversed(self._segments):
            offset = segment.offsets.get(wanted)
            if offset is not None:
                return segment.line(offset)
        return None

    def last(self, standing: Standing, count: int) -> list[bytes]:
        """The last ``count`` lines or fewer, without newlines, oldest first.

        :raises OSError: the journal cannot be read.
        """
        self._follow(standing)
        return list(islice(self._backwards(), count))[::-1]

    def _backwards(self) -> Iterator[bytes]:
        for segment in reversed(self._segments):
            for offset in reversed(segment.offsets.values()):
                yield segment.line(offset)

    def _follow(self, standing: Standing) -> None:
        """Read what is new, forget what is too old."""
        if not self._segments or self._segments[-1].identity != standing.identity:
            self._reopen(standing)
        left = self._window
        for segment in reversed(self._segments):
            end = standing.end if segment.identity == standing.identity else segment.size()
            begin = max(0, end - left)
            segment.cover(begin, end)
            left -= end - begin

    def _reopen(self, standing: Standing) -> None:
        """The present file, and those before it in its chain that the window reaches."""
        candidates = [path for path in (*rotated_files(self._path), self._path) if path.exists()]
        known = {segment.identity: segment for segment in self._segments}
        segments: list[_Segment] = []
        left = self._window
        for chain in chains(candidates):
            identities = [_identity(path) for path in chain.paths]
            if standing.identity not in identities:
                continue
            upto = identities.index(standing.identity) + 1
            for path, identity in zip(chain.paths[:upto][::-1], identities[:upto][::-1], strict=True):
                segment = known.pop(identity, None) or _Segment(path)
                segments.insert(0, segment)
                left -= segment.size()
                if left <= 0:
                    break
        if not segments:
            return  # the file that was begun this moment is empty yet
        for segment in known.values():
            segment.close()
        self._segments = segments


class _Segment:
    """One file: where which record begins, in a part that moves towards its end.

    :ivar offsets: in the order of the file.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self.identity = status.st_dev, status.st_ino
        self.offsets: dict[bytes, int] = {}
        self._end = 0

    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def cover(self, begin: int, end: int) -> None:
        """Know the lines that begin at ``begin`` or later and end at ``end`` or before."""
        if self._end < begin:
            self.offsets.clear()
            # A line that began before does not count: what follows its newline does.
            self._end = begin and begin + os.pread(self._fd, LONGEST, begin - 1).find(b"\n")
        offset = self._end
        while offset < end:
            block = os.pread(self._fd, min(_BLOCK, end - offset), offset)
            *lines, _ = block.split(b"\n")
            if not lines:
                break  # no line is as long as a block: the file was changed by others
            for line in lines:
                if line.startswith(_BEFORE_ID):
                    self.offsets[line[19 : line.index(b'"', 19)]] = offset
                offset += len(line) + 1
        self._end = offset
        for name, _ in list(takewhile(lambda entry: entry[1] < begin, self.offsets.items())):
            del self.offsets[name]

    def line(self, offset: int) -> bytes:
        """The line at ``offset``, without newline."""
        return os.pread(self._fd, LONGEST, offset).partition(b"\n")[0]


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
