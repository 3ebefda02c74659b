"""The journals of a directory as something to be copied: from any place on, only what is durable, over rotations.

Every line is checked as far as it can be without a key: its spelling, its hash, and that it follows the one before.
What does not is not passed on: a store that cannot be changed is no place for mistakes.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, cast

from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.model.errors import EveError
from eve_proxy.shipping.store import Batch
from eve_proxy.signing.durable_end import durable_end
from eve_proxy.signing.journal_files import find_journals, lines_of, place_of
from eve_proxy.signing.journal_walk import LONGEST
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import check_hash

MOST_LINES: Final = 10_000
MOST_BYTES: Final = 8 << 20

# The files of a log with the number of their first record, in the order of the chain.
_Files: TypeAlias = list[tuple[int, Path]]


class RecordsMissing(EveError):
    """The records that come next are in no file here, although later ones are."""


class ChainBroken(EveError):
    """A line here does not follow the last record that was shipped, or is not what was written."""


class Source:
    """All logs below ``directory``.

    :param most_lines: of a batch.
    :param most_bytes: of a batch, not counting its last line.
    :param begin_late: a log that the store does not know yet may begin with the first record that is here.
    """

    def __init__(
        self,
        directory: Path,
        *,
        most_lines: int = MOST_LINES,
        most_bytes: int = MOST_BYTES,
        begin_late: bool = False,
    ) -> None:
        self._directory = directory
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._begin_late = begin_late
        self._places: dict[tuple[int, int], tuple[str, int]] = {}  # inode to the place of its first record
        self._files: dict[str, _Files] = {}
        self._cursors: dict[str, _Cursor] = {}

    def logs(self) -> list[str]:
        """The ids of the logs that are here now. Looks at the directory again.

        :raises OSError: it cannot be read.
        """
        self._look()
        return sorted(self._files)

    def close(self) -> None:
        """Give descriptors back."""
        for cursor in self._cursors.values():
            cursor.close()
        self._cursors.clear()

    def read(self, log_id: str, end: LogLink | None) -> Batch | None:
        """What comes next of a log that ``logs`` named; None when there is nothing durable yet.

        :param end: the place behind the last record that was shipped; None when none was.
        :raises RecordsMissing: it is in no file.
        :raises ChainBroken: it is not what should come next.
        :raises OSError: a file cannot be read.
        """
        files = self._files[log_id]
        if end is None:
            first = files[0][0] if self._begin_late else 0
            end = LogLink(id=log_id, seq=first, prev=GENESIS if first == 0 else "")
        try:
            following, lines = self._collect(files, end)
        except (RecordsMissing, ChainBroken):
            self._places.clear()  # in case an inode was used again: the next look reads all first lines anew
            raise
        return Batch(first=end, following=following, lines=tuple(lines)) if lines else None

    def _collect(self, files: _Files, end: LogLink) -> tuple[LogLink, list[bytes]]:
        following, size = end, 0
        lines: list[bytes] = []
        cursor = self._cursors.get(end.id)
        if cursor is None or cursor.next_seq != end.seq:
            cursor = self._open(end.id, files, end.seq)
        while cursor is not None and len(lines) < self._most_lines and size < self._most_bytes:
            line = cursor.next_line()
            if line is not None:
                following = _checked(line, following, cursor.path)
                lines.append(line)
                size += len(line)
            elif cursor.first < following.seq and any(first == following.seq for first, _ in files):
                cursor = self._open(end.id, files, following.seq)
            else:
                # A later file means that this one is complete, and that what is missing between them is nowhere.
                later = [first for first, _ in files if first > following.seq]
                if later and not lines:
                    raise _missing(following, later[0])
                break
        return following, lines

    def _open(self, log_id: str, files: _Files, seq: int) -> _Cursor | None:
        """A cursor at record ``seq``; None when the log has not come that far."""
        old = self._cursors.pop(log_id, None)
        if old is not None:
            old.close()
        holding = [(first, path) for first, path in files if first <= seq]
        if not holding:
            raise _missing(LogLink(id=log_id, seq=seq, prev=""), files[0][0])
        first, path = holding[-1]
        cursor = _Cursor(path, first)
        while cursor.next_seq < seq and cursor.next_line() is not None:
            pass
        if cursor.next_seq < seq:
            last = cursor.next_seq
            cursor.close()
            if len(holding) < len(files):
                raise _missing(LogLink(id=log_id, seq=last, prev=""), files[len(holding)][0])
            return None  # the store knows more than we do: nothing to add
        self._cursors[log_id] = cursor
        return cursor

    def _look(self) -> None:
        files: dict[str, list[tuple[int, Path]]] = {}
        seen: dict[tuple[int, int], tuple[str, int]] = {}
        for path, identity, place in self._first_records():
            seen[identity] = place
            files.setdefault(place[0], []).append((place[1], path))
        self._places = seen
        self._files = {log_id: sorted(found, key=_preferred_last) for log_id, found in files.items()}

    def _first_records(self) -> Iterator[tuple[Path, tuple[int, int], tuple[str, int]]]:
        for path in find_journals(self._directory):
            try:
                status = path.stat()
                identity = status.st_dev, status.st_ino
                place = self._places.get(identity)
                if place is None:
                    place = place_of(next(lines_of(path), b""))
            except OSError:  # renamed or compressed this moment: the next look finds it
                continue
            if place is not None and ".damaged-" not in path.name:
                yield path, identity, place


def _preferred_last(file: tuple[int, Path]) -> tuple[int, bool, str]:
    """While a file is being compressed there are two of it, and one is not complete."""
    first, path = file
    return first, path.suffix != ".gz", str(path)


class _Cursor:
    """A place in one file.

    :ivar next_seq: the number of the record on the next line.
    """

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first = self.next_seq = first
        self._compressed = path.suffix == ".gz"
        opened = gzip.open(path, "rb") if self._compressed else path.open("rb")  # noqa: SIM115 - until ``close``
        self._stream = cast("BinaryIO", opened)
        self._offset = self._known = 0

    def next_line(self) -> bytes | None:
        """The next durable line with its newline; None while there is none.

        :raises OSError: the file cannot be read.
        """
        if not self._compressed and self._offset + LONGEST > self._known:
            self._known = self._durable()
        try:
            line = self._stream.readline(LONGEST)
        except (EOFError, zlib.error) as error:
            raise OSError(None, f"damaged: {error}", str(self.path)) from error
        if not line.endswith(b"\n") or (not self._compressed and self._offset + len(line) > self._known):
            self._stream.seek(self._offset)
            return None
        self._offset += len(line)
        self.next_seq += 1
        return line

    def close(self) -> None:
        """Give the descriptor back."""
        self._stream.close()

    def _durable(self) -> int:
        fd = self._stream.fileno()
        end = durable_end(fd)
        if end is None:
            # Nobody writes it; but whoever did may have died before its last commit reached the disk.
            os.fsync(fd)
            end = os.fstat(fd).st_size
        return end


def _missing(first: LogLink, found: int) -> RecordsMissing:
    return RecordsMissing(f"{first.id}: records {first.seq} to {found - 1} are in no file here")


def _checked(line: bytes, expected: LogLink, path: Path) -> LogLink:
    """The place behind ``line``.

    :raises ChainBroken: it is not the record at ``expected``.
    """
    try:
        fields = read_line(line[:-1])
        check_hash(fields)
    except Unacceptable as error:
        raise ChainBroken(f"{path}: record {expected.seq} of {expected.id}: {error.fault}: {error.detail}") from error
    log = fields["log"]
    if log is None or log["id"] != expected.id or log["seq"] != expected.seq:
        raise ChainBroken(f"{path}: another record stands where record {expected.seq} of {expected.id} belongs")
    if expected.prev and log["prev"] != expected.prev:
        raise ChainBroken(f"{path}: record {expected.seq} of {expected.id} does not follow the one that was shipped")
    return LogLink(id=expected.id, seq=expected.seq + 1, prev=fields["content_hash"])
