"""How much of a journal is durable and stays, told by its writer to readers of the file without a byte on the disk.

A line can be seen in the file before it is durable, and a failed commit cuts it off again. Whoever copies the journal
elsewhere must not take such a line for evidence. So the writer holds an advisory lock of its open file description
(fcntl(2), F_OFD_SETLK) on everything behind the durable end, and moves it with each commit; readers ask where it
begins. The kernel drops it when the writer dies, so it cannot go stale. Where a file system has no such locks, readers
see none, and take what is there.
"""

from __future__ import annotations

import fcntl
import os
import struct
from typing import Final

# struct flock of Linux with 64-bit offsets: type, whence, start, length (0: to the end and beyond), pid.
_FLOCK: Final = struct.Struct("hhqqi4x")
_ALL: Final = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
_PROBE: Final = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)


def hold(fd: int) -> bool:
    """Begin to write: nothing counts as durable until ``release_to``. False where that cannot be said (yet)."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _ALL)
    except OSError:  # no such locks here, or an older description of ours still has it
        return False
    return True


def release_to(fd: int, end: int) -> None:
    """The first ``end`` bytes are durable and stay; ``end`` is not 0."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, 0, end, 0))
    except OSError:
        pass


def durable_end(fd: int) -> int | None:
    """Bytes that are durable and stay; None when nobody writes the file."""
    try:
        kind, _, start, _, _ = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _PROBE))
    except OSError:
        return None
    return None if kind == fcntl.F_UNLCK else int(start)
