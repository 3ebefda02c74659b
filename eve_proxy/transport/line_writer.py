"""Log lines to a descriptor without ever making the reactor wait for whoever reads it."""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue

from twisted.internet.interfaces import IDelayedCall, IReactorTime

# Lines wait this long for company: a thread wake-up per line would cost more than the line.
GATHER = 0.05
CAPACITY = 4 * 1024 * 1024


class LineWriter:
    """Gathers lines and writes them from a thread of its own.

    When the reader stalls, at most ``capacity`` bytes wait; further lines are dropped and the drop is said in the log
    itself. (The journal, not this log, is the evidence.)

    :param descriptor: an open file descriptor; not closed here.
    """

    def __init__(self, descriptor: int, clock: IReactorTime, *, capacity: int = CAPACITY) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._capacity = capacity
        self._lines: list[bytes] = []
        # Two counters with one writing thread each: "-=" in one and "+=" in the other thread would lose updates, and
        # bytes that are counted for ever end in a log that drops everything.
        self._taken = 0
        self._written = 0
        self._dropped = 0
        self._timer: IDelayedCall | None = None
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        # Started with the first batch: a daemon that forks after this is made would leave its thread behind.
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Bytes that are not yet written."""
        return self._taken - self._written

    def write(self, line: bytes) -> None:
        """Queue one line, newline included."""
        if self._closed or self.waiting + len(line) > self._capacity:
            self._dropped += 1
            return
        self._taken += len(line)
        self._lines.append(line)
        if self._timer is None:
            self._timer = self._clock.callLater(GATHER, self._hand_over)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is left; give up after ``timeout`` seconds. Lines that come later are lost."""
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._closed = True
        batch = self._gathered()
        try:
            self._pass_on(batch)
        except RuntimeError:
            # Nothing was written before, and an interpreter that ends starts no thread any more (3.12 and later).
            self._write(batch)
        self._batches.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _hand_over(self) -> None:
        self._timer = None
        self._pass_on(self._gathered())

    def _pass_on(self, batch: bytes) -> None:
        if batch:
            if self._thread is None:
                thread = threading.Thread(target=self._drain, name="log", daemon=True)
                thread.start()
                self._thread = thread
            self._batches.put(batch)

    def _gathered(self) -> bytes:
        if self._dropped:
            note = b'{"event":"log_dropped","lines":%d}\n' % self._dropped
            self._taken += len(note)
            self._lines.append(note)
            self._dropped = 0
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def _drain(self) -> None:
        while (batch := self._batches.get()) is not None:
            self._write(batch)

    def _write(self, batch: bytes) -> None:
        view = memoryview(batch)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            # Nobody reads the log any more (EPIPE, EIO): decisions go on, their evidence is in the journal.
            pass
        self._written += len(batch)
