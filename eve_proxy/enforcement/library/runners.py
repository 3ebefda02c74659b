"""Daemon threads, a bounded number of them, where judging and enforced functions run while their caller watches time.

Not ``ThreadPoolExecutor``: at exit it waits for its threads, so that one function that hangs would keep the process
alive. These die with it. A thread cannot be stopped: what hangs keeps one, and ``most`` bounds how many.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")

# As many as there may be questions to the decision service under way by default.
MOST: Final = 256


class Runners:
    """A pool whose threads start when there is work for one more, and stay.

    :param name: of the threads, for whoever looks at a process.
    :param most: threads at most; what is submitted beyond waits in order. Whoever waits does so within a deadline.
    """

    def __init__(self, name: str, most: int = MOST) -> None:
        self._name = name
        self._most = most
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._idle = 0
        self._count = 0

    def submit(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
        """Run ``function(*args, **kwargs)`` in a thread. Cancelling its future works until a thread takes it.

        :raises RuntimeError: the system gives no more threads.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._count < self._most:
                threading.Thread(target=self._work, name=f"{self._name}-{self._count}", daemon=True).start()
                self._count += 1
            self._jobs.put((future, partial(function, *args, **kwargs)))
        return future

    def _work(self) -> None:
        while True:
            future, job = self._next()
            if future.set_running_or_notify_cancel():
                try:
                    result = job()
                except BaseException as error:  # noqa: BLE001 - whatever it was, whoever waits decides what it means
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del future, job
            if os.getpid() != self._pid:
                return  # the job forked, and this is the child's only thread: nobody will bring it another job

    def _next(self) -> tuple[Future[Any], Callable[[], Any]]:
        with self._lock:
            try:
                return self._jobs.get_nowait()
            except Empty:
                self._idle += 1
        return self._jobs.get()
