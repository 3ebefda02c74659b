"""The Merkle tree over a journal's lines, grown as they are written, in constant memory. No Twisted.

Whoever writes the journal grows it, in the same order and the same thread, and only by what became durable: after a
failed write the file is cut back to the last durable line, where the tree has stayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

from eve_proxy.audit.file import FreeSpace, JournalFile, Opener
from eve_proxy.audit.recovery import Place
from eve_proxy.model.certificate import LogLink
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import Key, check_fields

CHECKPOINT: Final = "checkpoint"
_MARK: Final = b'"kind":"checkpoint"'
_TAG: Final = "sha256-"
_BLOCK: Final = 1 << 20
# The end of a journal that is searched for a checkpoint record; there should be one every 1,000 records.
_WINDOW: Final = 4 << 20


class Readable(Protocol):
    """What a tree is taken up from: the file of a journal, or all of its files as one."""

    def read(self, offset: int, length: int) -> bytes:
        """See ``JournalFile``."""


class Tree:
    """One journal's tree; every file that ``opener`` opens grows it.

    :ivar frontier: None when the journal's beginning is elsewhere and nothing in the file says what it was.
    """

    def __init__(self) -> None:
        self.frontier: Frontier | None = Frontier()

    def opener(self, inner: Opener) -> Opener:
        """Opens files whose appended lines become leaves."""
        return lambda path: _Growing(inner(path), self)

    def take_up(self, file: Readable, place: Place | None, key: Key) -> None:
        """Start from what is in the file already.

        :param place: its end; None when the journal is new.
        :param key: ours: only a checkpoint record of our own is believed.
        """
        if place is None:
            self.frontier = Frontier()
        else:
            self.frontier = _from_checkpoint(file, place, key) or _from_the_start(file, place)


class _Growing:
    """A ``JournalFile`` whose durable lines are leaves of a tree."""

    __slots__ = ("_inner", "_tree")

    def __init__(self, inner: JournalFile, tree: Tree) -> None:
        self._inner = inner
        self._tree = tree

    def append(self, data: bytes, durable: bool) -> None:
        """See ``JournalFile``; ``data`` is whole lines."""
        self._inner.append(data, durable)
        frontier = self._tree.frontier
        if frontier is not None:
            for line in data[:-1].split(b"\n"):
                frontier.add(leaf_hash(line))

    def identity(self) -> tuple[int, int]:
        return self._inner.identity()

    def size(self) -> int:
        return self._inner.size()

    def read(self, offset: int, length: int) -> bytes:
        return self._inner.read(offset, length)

    def cut(self, size: int) -> None:
        self._inner.cut(size)

    def free_space(self) -> FreeSpace:
        return self._inner.free_space()

    def close(self) -> None:
        self._inner.close()


def tree_record(frontier: Frontier) -> dict[str, Any]:
    """What a ``checkpoint`` record says: the size, the root, and the peaks that a restart goes on from."""
    return {
        "size": frontier.size,
        "root": _TAG + frontier.root().hex(),
        "peaks": [peak.hex() for peak in frontier.peaks],
    }


def _from_checkpoint(file: Readable, place: Place, key: Key) -> Frontier | None:
    """From the last checkpoint record near the end; None where there is none of ours."""
    start = max(0, place.offset - _WINDOW)
    lines = file.read(start, place.offset - start)[:-1].split(b"\n")
    if start:
        del lines[0]  # only the end of it is here
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if _MARK not in line:
            continue
        try:
            fields = read_line(line)
            check_fields(fields, (key,))
            frontier = _recorded(fields)
        except (Unacceptable, ValueError, TypeError, KeyError):
            continue
        first = fields["log"]["seq"] - position  # the number of the first line that is here
        if fields["kind"] != CHECKPOINT or frontier.size < first or first + len(lines) != place.next.seq:
            continue
        for leaf in lines[frontier.size - first :]:
            frontier.add(leaf_hash(leaf))
        return frontier
    return None


def _recorded(fields: dict[str, Any]) -> Frontier:
    record = fields["record"]
    frontier = Frontier(record["size"], [bytes.fromhex(peak) for peak in record["peaks"]])
    if _TAG + frontier.root().hex() != record["root"] or frontier.size > fields["log"]["seq"]:
        raise ValueError("not the peaks of that root")
    return frontier


def _from_the_start(file: Readable, place: Place) -> Frontier | None:
    """From the first line on: as long as reading the file takes; None when it does not begin with record 0."""
    frontier = Frontier()
    for line in _lines(file, place.offset):
        if frontier.size == 0 and not _begins(line, place.next):
            return None
        frontier.add(leaf_hash(line))
    return frontier if frontier.size == place.next.seq else None


def _begins(line: bytes, link: LogLink) -> bool:
    try:
        log = read_line(line)["log"]
    except Unacceptable:
        return False
    return bool(log is not None and log["seq"] == 0 and log["id"] == link.id)


def _lines(file: Readable, end: int) -> Iterator[bytes]:
    """Up to ``end``, which is behind a newline."""
    rest = b""
    for offset in range(0, end, _BLOCK):
        *whole, rest = (rest + file.read(offset, min(_BLOCK, end - offset))).split(b"\n")
        yield from whole
