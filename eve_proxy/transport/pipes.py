"""Kernel pipes for ``splice``, lent out only while bytes are inside.

Their size is what makes splicing fast (performance.md: 1 MiB pipes cost a third of 64 KiB ones), and the memory they
pin is why their number is bounded: a thousand clients that do not read must not hold a thousand megabytes.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass

PIPE_SIZE = 1024 * 1024


@dataclass(eq=False, slots=True)
class Pipe:
    """Two descriptors, both non-blocking.

    :ivar size: bytes it can hold.
    """

    read_end: int
    write_end: int
    size: int

    def close(self) -> None:
        """Give it back to the kernel, with whatever is inside."""
        os.close(self.read_end)
        os.close(self.write_end)


class PipeShelf:
    """Empty pipes.

    :param most: pipes that may exist at once.
    :param kept: empty ones that are kept for the next borrower.
    """

    def __init__(self, *, most: int = 64, kept: int = 16) -> None:
        self._most = most
        self._kept = kept
        self._empty: list[Pipe] = []
        self.lent = 0

    def borrow(self) -> Pipe | None:
        """An empty pipe, or None when there is none to be had: the caller copies instead."""
        if self._empty:
            self.lent += 1
            return self._empty.pop()
        if self.lent >= self._most:
            return None
        try:
            read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # Out of descriptors: a tunnel that copies is better than one that breaks.
            return None
        try:
            size = fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            # The user's share of pipe memory is used up (pipe(7), "pipe-user-pages-soft").
            size = fcntl.fcntl(write_end, fcntl.F_GETPIPE_SZ)
        self.lent += 1
        return Pipe(read_end, write_end, size)

    def give_back(self, pipe: Pipe) -> None:
        """Return a pipe that is empty."""
        self.lent -= 1
        if len(self._empty) < self._kept:
            self._empty.append(pipe)
        else:
            pipe.close()

    def discard(self, pipe: Pipe) -> None:
        """Return a pipe that still holds bytes of a connection that is gone: nobody else may see them."""
        self.lent -= 1
        pipe.close()

    def close(self) -> None:
        """Close the empty ones."""
        while self._empty:
            self._empty.pop().close()
