"""One writer per journal. The lock is a file beside it, so that it survives reopening and renaming the journal."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from eve_proxy.model.errors import JournalUnavailable


class JournalLocked(JournalUnavailable):
    """Another process writes this journal. The message names it and says what to do."""


class Lock:
    """Held until released; the kernel releases it when the process dies, however it dies."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Let others have it. May be called again. The file stays: removing it would race with the next holder."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def take_lock(journal: Path) -> Lock:
    """Become the only writer of ``journal``.

    :raises JournalLocked: somebody else is.
    :raises OSError: the lock file cannot be made.
    """
    path = journal.with_name(journal.name + ".lock")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # flock, not POSIX record locks: those are lost when any descriptor of the file is closed (fcntl(2)).
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except BlockingIOError as error:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise JournalLocked(
            f"the journal {journal} is being written by process {holder or 'unknown'}; "
            "stop it, or give this one a journal of its own with EVE_PROXY_AUDIT_LOG"
        ) from error
    except OSError:
        os.close(fd)
        raise
    return Lock(fd)
