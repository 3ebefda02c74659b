"""Finding the file that a journal goes on from when it was rotated while nobody wrote it.

Blocks: it runs when a journal is opened. No Twisted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eve_proxy.audit.file import JournalFile, Opener
from eve_proxy.audit.recovery import Tail, TailDamaged, measure, read_tail
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import EveError
from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.verification import Key

# What stands beside a journal under its name and is none: its lock, its checkpoint, what was damaged, what a program
# compressed. A compressed file is not read: whoever compresses keeps the newest as it is (logrotate's delaycompress).
_OTHERS: Final = (".lock", ".checkpoint", ".new", ".gz", ".bz2", ".xz", ".zst")


class PredecessorDamaged(EveError):
    """A rotated file does not verify, so that nobody can say which one is the last.

    :ivar path: the file.
    :ivar sha256: of the whole of it, hex.
    """

    def __init__(self, path: Path, sha256: str, detail: str) -> None:
        super().__init__(detail)
        self.path = path
        self.sha256 = sha256


def rotated_files(path: Path) -> Iterator[Path]:
    """The files beside ``path`` whose names say that they were it: ``j.jsonl.1``, ``j.jsonl-20261124``,
    ``j.jsonl.rotated-…``, ``j-20261124.jsonl``. Not ``j.1.jsonl``: that is a worker's journal."""
    for child in sorted(path.parent.iterdir()):
        name = child.name
        renamed = name.startswith((f"{path.name}.", f"{path.name}-"))
        redated = name.startswith(f"{path.stem}-") and name.endswith(path.suffix)
        if (renamed or redated) and ".damaged-" not in name and not name.endswith(_OTHERS) and child.is_file():
            yield child


def predecessor(path: Path, opener: Opener, key: Key) -> tuple[JournalFile, Tail] | None:
    """The rotated file that ends last, open, and its tail; None when there is no file with a record.

    Last is the highest number of a log; of several logs, the one whose last record is the youngest.

    :param key: ours, as for ``read_tail``.
    :raises PredecessorDamaged: there are some, and one of them does not verify.
    :raises OSError: one of them cannot be read.
    """
    ends: dict[str, tuple[JournalFile, Tail, LogLink]] = {}
    try:
        for candidate in rotated_files(path):
            file = opener(candidate)
            try:
                tail = read_tail(file, key)
            except TailDamaged as error:
                sha256 = measure(file, 0, file.size()).sha256
                file.close()
                raise PredecessorDamaged(candidate, sha256, str(error)) from error
            place = tail.place
            if place is None or (place.next.id in ends and place.next.seq <= ends[place.next.id][2].seq):
                file.close()
                continue
            if place.next.id in ends:
                ends[place.next.id][0].close()
            ends[place.next.id] = file, tail, place.next
        if not ends:
            return None
        youngest = max(ends, key=lambda log_id: _timestamp(ends[log_id][1]))
        file, tail, _ = ends.pop(youngest)
        return file, tail
    finally:
        for file, _, _ in ends.values():
            file.close()


def _timestamp(tail: Tail) -> str:
    # What was signed, not the file system's times, which copying changes.
    assert tail.place is not None
    return str(read_line(tail.place.last)["timestamp"])
