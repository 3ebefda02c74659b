"""Reading the small files that variables name: secrets, certificates, policies."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# A secret, a PEM bundle or a policy; more than this is the wrong file (a device would never end).
LARGEST: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file as it was when it was opened.

    :ivar mode: the permission bits (``st_mode & 0o7777``).
    """

    data: bytes
    mode: int

    @property
    def world_readable(self) -> bool:
        """Every user of the machine can read it."""
        return bool(self.mode & stat.S_IROTH)


ReadFile = Callable[[str], FileContent]


def read_file(path: str) -> FileContent:
    """The content of ``path``.

    :raises OSError: it can't be read, or is larger than 4 MiB.
    """
    with open(path, "rb") as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(f"larger than {LARGEST} bytes")
    return FileContent(data=data, mode=mode)
