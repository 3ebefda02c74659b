"""When a journal goes on in another file, and beginning that file. The chain continues: nothing else changes.

Somebody may rename the file (logrotate): its path then leads elsewhere or nowhere, and the next commit begins a file
there. With EVE_PROXY_AUDIT_ROTATE_BYTES a file that has reached that size is renamed by ourselves first. What cannot be
begun costs nothing: the present file is written on, under whatever name it has now.

Blocks: it runs where the journal is written. No Twisted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eve_proxy.audit.file import JournalFile, Opener, sync_directory
from eve_proxy.interfaces import IClock
from eve_proxy.model.errors import EveError
from eve_proxy.signing.seal import timestamp


class NewFileDue(EveError):
    """The record that was to be appended belongs into a new file. Nothing was written."""


class PathTaken(OSError):
    """Another file stands at the journal's path and has something in it, which is not ours to append to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRotation:
    """Of one journal.

    :ivar path: where its present file belongs.
    :ivar largest: a file of so many bytes takes no further commit; 0: only others rename it.
    """

    path: Path
    opener: Opener
    clock: IClock
    largest: int = 0

    def append(self, file: JournalFile, identity: tuple[int, int], size: int, data: bytes, durable: bool) -> None:
        """``file.append``, unless a new file is due. Asked before each commit: one ``stat``.

        :param identity: of ``file``.
        :param size: of ``file``, in bytes.
        :raises NewFileDue: nothing was written.
        :raises OSError: as ``file.append``.
        """
        if self.due(identity, size):
            raise NewFileDue
        file.append(data, durable)

    def due(self, identity: tuple[int, int], size: int) -> bool:
        """Whether the file is no longer at its path, or large enough."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # nobody can say; the descriptor is as good as it was
        return (status.st_dev, status.st_ino) != identity or 0 < self.largest <= size

    def next_file(self, identity: tuple[int, int]) -> JournalFile:
        """An empty file at the journal's path, durably there; ours is renamed first if it is still there.

        :param identity: of the file that is written now.
        :raises OSError: there is none; ``PathTaken`` when somebody put another file there.
        """
        if self._is_at_path(identity):
            os.rename(self.path, aside(self.path, "rotated", self.clock))
        file = self.opener(self.path)
        try:
            if file.size():
                raise PathTaken(None, "another file stands at the journal's path", str(self.path))
            # Also when logrotate made it: a record is only as durable as the name of its file.
            sync_directory(self.path.parent)
        except OSError:
            file.close()
            raise
        return file

    def _is_at_path(self, identity: tuple[int, int]) -> bool:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == identity


def aside(path: Path, why: str, clock: IClock) -> Path:
    """A free name beside ``path``: ``<name>.<why>-<time>``, so that names sort by time."""
    stamp = timestamp(clock.wall()).translate({ord(mark): None for mark in "-:."})
    free = path.with_name(f"{path.name}.{why}-{stamp}")
    number = 1
    while free.exists():  # two in one millisecond, or a clock set back: never overwrite evidence
        number += 1
        free = path.with_name(f"{path.name}.{why}-{stamp}-{number}")
    return free
