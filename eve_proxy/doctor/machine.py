"""This process and this machine: clocks, random numbers, rights, limits. The only module of the doctor that reads them.

``system.py`` does it for the daemon, behind ports that need zope.
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

monotonic = time.monotonic
wall = time.time  # noqa: TID251

_CAPABILITIES: Final = re.compile(r"^CapEff:\s*([0-9a-f]+)$", re.MULTILINE)
_OPEN_FILES: Final = re.compile(r"^Max open files\s+(\S+)", re.MULTILINE)
_LISTENS: Final = "0A"
_OURS: Final = (b"eve-sidecar", b"eve_proxy")


def token() -> str:
    """16 hex digits that nobody can guess."""
    return os.urandom(8).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What ``/proc`` says.

    :ivar capabilities: of this process, effective, as a bit set; None when it cannot be read.
    :ivar open_files: how many this process may have open; None without a limit.
    :ivar listeners: port to user id, of what listens in this network namespace.
    """

    uid: int
    capabilities: int | None
    open_files: int | None
    listeners: dict[int, int]
    proc: Path

    @classmethod
    def read(cls, proc: Path = Path("/proc")) -> Machine:
        """Of the running process."""
        status = _text(proc / "self" / "status")
        found = _CAPABILITIES.search(status)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(
            uid=os.geteuid(),
            capabilities=None if found is None else int(found[1], 16),
            open_files=None if soft == resource.RLIM_INFINITY else soft,
            listeners={port: uid for family in ("tcp6", "tcp") for port, uid in _listeners(proc / "net" / family)},
            proc=proc,
        )

    def daemons_open_files(self, pid: int, uid: int) -> int | None:
        """How many files the proxy may have open; None when process ``pid`` of this machine is not it, or is hidden.

        :param uid: of the user that it listens as.
        """
        folder = self.proc / str(pid)
        try:
            owner, command = folder.stat().st_uid, (folder / "cmdline").read_bytes()
        except OSError:
            return None
        if owner != uid or not any(name in command for name in _OURS):
            return None
        found = _OPEN_FILES.search(_text(folder / "limits"))
        return int(found[1]) if found is not None and found[1].isdigit() else None


def _listeners(table: Path) -> Iterator[tuple[int, int]]:
    for line in _text(table).splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7 and columns[3] == _LISTENS:
            yield int(columns[1].rpartition(":")[2], 16), int(columns[7])


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
