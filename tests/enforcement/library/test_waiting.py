"""Waiting for a thread, blocking and on an event loop; and driving what never suspends."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from eve_proxy.enforcement.library.waiting import AsyncioWait, BlockingWait, drive


def blocking(future: Future[Any], seconds: float) -> bool:
    return drive(BlockingWait().settled(future, seconds))


def on_a_loop(future: Future[Any], seconds: float) -> bool:
    async def main() -> bool:
        return await AsyncioWait().settled(future, seconds)

    return asyncio.run(main())


both = pytest.mark.parametrize("settled", [blocking, on_a_loop])


@both
@pytest.mark.parametrize("outcome", [7, ValueError("x"), TimeoutError("of the job itself"), SystemExit()])
@pytest.mark.parametrize("seconds", [5.0, 0.0, -1.0])
def test_what_is_done_is_settled(settled: Any, outcome: Any, seconds: float) -> None:
    """A result counts as one, and so does an exception, a timeout of its own included; it is not raised here."""
    future: Future[Any] = Future()
    future.set_exception(outcome) if isinstance(outcome, BaseException) else future.set_result(outcome)
    assert settled(future, seconds)


@both
@pytest.mark.parametrize("seconds", [0.01, 0.0, -1.0])
def test_what_is_not_done_in_time_is_not(settled: Any, seconds: float) -> None:
    """The wait ends, and what the future says later disturbs nobody."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    assert not settled(future, seconds)
    future.set_exception(ValueError("late"))


def test_what_is_done_in_the_last_moment_counts() -> None:
    """Between the end of the wait and looking, the job finished."""

    class Finishing(Future[Any]):
        def exception(self, timeout: float | None = None) -> BaseException | None:
            self.set_result(7)
            raise TimeoutError

    assert blocking(Finishing(), 1)


@pytest.mark.parametrize(("seconds", "waits"), [(60.0, [0.25, 59.75]), (0.1, [0.1, 0.0]), (-1.0, [0.0, 0.0])])
def test_a_signal_at_the_beginning_of_a_wait_is_soon_seen(seconds: float, waits: list[float]) -> None:
    """Ctrl-C in the very moment in which CPython begins to wait is not noticed before the deadline otherwise."""
    asked = []

    class Silent(Future[Any]):
        def exception(self, timeout: float | None = None) -> BaseException | None:
            asked.append(timeout)
            raise TimeoutError

    assert not blocking(Silent(), seconds)
    assert asked == waits


def test_a_coroutine_that_never_suspends_is_driven() -> None:
    """Its result and its exceptions are those of a function."""

    async def works() -> int:
        return 7

    async def fails() -> None:
        raise ValueError

    class Awaitable:
        def __await__(self) -> Any:
            return works().__await__()

    assert drive(works()) == 7
    assert drive(Awaitable()) == 7
    with pytest.raises(ValueError):
        drive(fails())


def test_a_coroutine_that_suspends_is_an_error() -> None:
    """It would wait for ever: nothing resumes it."""

    async def waits() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="no event loop"):
        drive(waits())
