"""Files of one journal read as if they were one: what a tree is taken up from after a rotation.

Blocks: it runs when a journal is opened. No Twisted.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from eve_proxy.audit.predecessor import rotated_files
from eve_proxy.audit.recovery import Place
from eve_proxy.signing.journal_files import chains


class Joined:
    """The journal at ``path`` up to ``place``, and the rotated files before it that are still there as they were.

    :param place: the end, in the file at ``path``.
    :ivar place: the same end, counted from the first byte of the first file.
    :raises OSError: they cannot be read.
    """

    def __init__(self, path: Path, place: Place) -> None:
        candidates = [*rotated_files(path), *([path] if place.offset else [])]
        found = [chain.paths for chain in chains(candidates) if chain.log_id == place.next.id]
        before = [file for file in (found[0] if found else ()) if file != path]
        self._parts: list[tuple[int, int]] = []  # descriptor, bytes
        try:
            for file in before:
                fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                self._parts.append((fd, os.fstat(fd).st_size))
            if place.offset:
                self._parts.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), place.offset))
        except OSError:
            self.close()
            raise
        self.place = Place(offset=sum(size for _, size in self._parts), last=place.last, next=place.next)

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``; fewer only at the end."""
        pieces: list[bytes] = []
        for fd, size in self._parts:
            if offset < size and length:
                piece = os.pread(fd, min(length, size - offset), offset)
                pieces.append(piece)
                length -= len(piece)
                offset += len(piece)
            offset -= size
        return b"".join(pieces)

    def close(self) -> None:
        """Give the descriptors back."""
        while self._parts:
            os.close(self._parts.pop()[0])

    def __enter__(self) -> Joined:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
