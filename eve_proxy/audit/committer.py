"""The one thread that writes and syncs, so that the reactor never waits for a disk.

A thread of its own instead of the reactor's pool: a disk that hangs must not starve name lookups, appends must never
overtake each other, and handing over through one ``SimpleQueue`` costs less (``benchmarks/journal.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")

# Runs a blocking call elsewhere, one after the other, in order; answers on the reactor's thread.
Offload: TypeAlias = Callable[..., Deferred[Any]]

_Job: TypeAlias = tuple["Deferred[Any]", Callable[..., Any], tuple[Any, ...]]


class Committer:
    """An ``Offload``. The thread starts with the first call, and never keeps the process alive."""

    def __init__(self, call_from_thread: Callable[..., Any]) -> None:
        """``call_from_thread`` is the reactor's ``callFromThread``."""
        self._call_from_thread = call_from_thread
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def __call__(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run ``function(*args)`` in the thread, after everything that was asked for before."""
        deferred: Deferred[T] = Deferred()
        self._jobs.put((deferred, function, args))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="eve-journal", daemon=True)
            self._thread.start()
        return deferred

    def stop(self) -> None:
        """Let the thread end after what was asked for. Does not wait: the disk may hang for ever."""
        if self._thread is not None:
            self._thread = None
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            deferred, function, args = job
            try:
                result = function(*args)
            except BaseException:  # noqa: BLE001 - whatever it was, the caller waits for it on the other thread
                self._call_from_thread(deferred.errback, Failure())  # type: ignore[no-untyped-call]
            else:
                self._call_from_thread(deferred.callback, result)
