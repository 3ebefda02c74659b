"""The file behind the journal: the only place that makes its system calls, and the seam where tests inject faults.

Everything here blocks; after start-up it runs in the committer's thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from eve_proxy.signing.durable_end import hold, release_to


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSpace:
    """What an unprivileged writer may still use, and the size of the file system, in bytes."""

    free: int
    total: int


class JournalFile(Protocol):
    """An append-only file. Every method may raise OSError."""

    def identity(self) -> tuple[int, int]:
        """Device and inode: whether two descriptors are the same file."""

    def size(self) -> int:
        """Bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``; fewer only at the end of the file."""

    def append(self, data: bytes, durable: bool) -> None:
        """Write all of ``data`` at the end; when ``durable``, return only once the device has it.

        After an error any part of it may be in the file.
        """

    def cut(self, size: int) -> None:
        """Drop everything after ``size`` bytes, durably."""

    def free_space(self) -> FreeSpace:
        """Of the file system that holds it."""

    def close(self) -> None:
        """Give the descriptor back. Never raises, may be called again."""


Opener: TypeAlias = Callable[[Path], JournalFile]


class OsFile:
    """A ``JournalFile`` on a file descriptor opened for appending. Tells readers how much of it is durable."""

    __slots__ = ("_fd", "_held")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._held = hold(fd)

    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        status = os.fstat(self._fd)
        return status.st_dev, status.st_ino

    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """See ``JournalFile``."""
        pieces: list[bytes] = []
        while length > 0:
            piece = os.pread(self._fd, length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def append(self, data: bytes, durable: bool) -> None:
        """See ``JournalFile``."""
        self._held = self._held or hold(self._fd)
        written = os.write(self._fd, data)
        while written < len(data):  # a disk that fills up takes what fits, and refuses the next call
            written += os.write(self._fd, memoryview(data)[written:])
        if durable:
            os.fdatasync(self._fd)
        release_to(self._fd, os.lseek(self._fd, 0, os.SEEK_CUR))  # where an appending write leaves it: the end

    def cut(self, size: int) -> None:
        """See ``JournalFile``."""
        os.ftruncate(self._fd, size)
        os.fsync(self._fd)

    def free_space(self) -> FreeSpace:
        """See ``JournalFile``."""
        status = os.fstatvfs(self._fd)
        return FreeSpace(free=status.f_bavail * status.f_frsize, total=status.f_blocks * status.f_frsize)

    def close(self) -> None:
        """See ``JournalFile``."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:  # the descriptor is gone all the same (close(2)), and the data was synced before
                pass


_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC


def open_file(path: Path) -> OsFile:
    """Open for appending; made with mode 0600, durably, when it does not exist. An existing mode is left alone."""
    try:
        return OsFile(os.open(path, _FLAGS))
    except FileNotFoundError:
        return _durable(path, os.open(path, _FLAGS | os.O_CREAT, 0o600))


def create_file(path: Path) -> OsFile:
    """Make a file that did not exist, mode 0600, durably. Nobody else has it open, so it needs no lock.

    :raises FileExistsError: it exists.
    """
    return _durable(path, os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600))


def _durable(path: Path, fd: int) -> OsFile:
    file = OsFile(fd)
    try:
        sync_directory(path.parent)
    except OSError:
        file.close()
        raise
    return file


def make_directories(directory: Path) -> None:
    """Make ``directory`` and what is missing above it, readable by the owner alone (``mkdir -p`` would not be)."""
    missing = [directory, *directory.parents]
    for path in reversed([path for path in missing if not path.exists()]):
        path.mkdir(mode=0o700, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Make a new or renamed entry durable: an fsync of the file does not cover its name (fsync(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
