"""Two ways to wait for a thread, under one name, so that one text serves plain and coroutine functions.

``BlockingWait`` blocks in ``settled``: a coroutine that only waits this way never suspends, and ``drive`` runs it like
a function. ``AsyncioWait`` suspends, and the event loop goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")

_FIRST_WAIT: Final = 0.25  # seconds


class Waiting(Protocol):
    """How the caller waits.

    :ivar blocks: it blocks its thread, so that short work may be done there too.
    """

    @property
    def blocks(self) -> bool:
        """See the class."""

    async def settled(self, future: Future[Any], seconds: float) -> bool:
        """Whether ``future`` is done, at the latest after ``seconds``. Does not raise what is in it."""


class BlockingWait:
    """For plain functions."""

    blocks: Final = True

    async def settled(self, future: Future[Any], seconds: float) -> bool:
        """See ``Waiting``."""
        # CPython looks for signals and then waits: one that comes in between is seen when the wait is over. As the
        # function begins just then, that moment is a likely one for Ctrl-C; hence a short wait first.
        for part in (min(seconds, _FIRST_WAIT), seconds - _FIRST_WAIT):
            try:
                future.exception(max(0.0, part))
                return True
            except TimeoutError:
                if future.done():
                    return True
        return False


class AsyncioWait:
    """For coroutine functions."""

    blocks: Final = False

    async def settled(self, future: Future[Any], seconds: float) -> bool:
        """See ``Waiting``. When the waiting task is cancelled, a job that no thread took yet is cancelled too."""
        ours = asyncio.wrap_future(future)
        try:
            await asyncio.wait({ours}, timeout=max(0.0, seconds))
        finally:
            # Done: mark its exception as seen. Not done: detach, so that a later outcome is nobody's.
            if not ours.cancel() and not ours.cancelled():
                ours.exception()
        return future.done() and not future.cancelled()


def drive(awaitable: Awaitable[T]) -> T:
    """Run a coroutine that never suspends.

    :raises RuntimeError: it did; nobody would ever resume it.
    """
    coroutine = awaitable if isinstance(awaitable, Coroutine) else _awaited(awaitable)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("waited for something that no event loop will bring")


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
