"""Coroutines that wait for Deferreds, run to their end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from eve_proxy.governance.driving import Drive


class End:
    """What came of a coroutine."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.said: list[Any] = []
        self.drive = Drive(coroutine, self.said.append, lambda failure: self.said.append(failure.value))


def test_a_coroutine_that_waits_for_nothing_ends_at_once() -> None:
    """A refusal that needs nobody else is answered in the same turn."""

    async def now() -> str:
        return "done"

    assert End(now()).said == ["done"]


def test_results_go_in_and_the_last_one_comes_out() -> None:
    """A request waits for its body, its verdict and its record, one after the other."""
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()

    async def sum_up() -> int:
        return await first + await succeed(10) + await second

    end = End(sum_up())
    first.callback(1)
    assert end.said == []
    second.callback(100)
    assert end.said == [111]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_failure_is_raised_inside_and_can_be_caught(at_once: bool) -> None:
    """A journal that fails is an answer to the client, not the end of its connection."""
    failing: Deferred[None] = fail(ValueError("x")) if at_once else Deferred()
    later: Deferred[str] = Deferred()

    async def careful() -> str:
        try:
            await failing
        except ValueError:
            return await later
        return "not reached"

    end = End(careful())
    if not at_once:
        failing.errback(ValueError("x"))
    later.callback("caught")
    assert end.said == ["caught"]


@pytest.mark.parametrize("waits", [False, True])
def test_what_it_raises_is_its_end(waits: bool) -> None:
    """A defect is heard of, before and after the coroutine has waited."""
    waiting: Deferred[None] = Deferred()

    async def broken() -> None:
        if waits:
            await waiting
        raise ZeroDivisionError

    end = End(broken())
    waiting.callback(None)
    assert [type(what) for what in end.said] == [ZeroDivisionError]


def test_a_failure_nobody_catches_is_its_end() -> None:
    """The reason of a failed call reaches whoever started it."""
    waiting: Deferred[None] = Deferred()

    async def trusting() -> None:
        await waiting

    end = End(trusting())
    error = ValueError("x")
    waiting.errback(error)
    assert end.said == [error]


def test_a_cancel_reaches_what_it_waits_for() -> None:
    """A question whose client left is taken back from the wire, not only forgotten."""
    cancelled: list[Any] = []

    async def patient() -> None:
        await Deferred(cancelled.append)

    end = End(patient())
    end.drive.cancel()
    assert len(cancelled) == 1
    assert [type(what) for what in end.said] == [CancelledError]


def test_it_may_go_on_after_a_cancel() -> None:
    """What must be tidied up is tidied up, even when that takes a while."""
    tidied: Deferred[str] = Deferred()

    async def tidy() -> str:
        try:
            await Deferred()
        except CancelledError:
            return await tidied
        return "not reached"

    end = End(tidy())
    end.drive.cancel()
    tidied.callback("tidied")
    end.drive.cancel()
    assert end.said == ["tidied"]


def test_what_is_not_a_deferred_is_refused_inside() -> None:
    """A governor written for another event loop fails at once instead of never."""

    class Foreign:
        def __await__(self) -> Generator[Any, Any, None]:
            yield object()

    async def foreign() -> None:
        await Foreign()

    assert [type(what) for what in End(foreign()).said] == [TypeError]


def test_nothing_of_it_stays_in_memory() -> None:
    """It is on the path of every request: no reference cycle is left for the collector."""
    waiting: Deferred[None] = Deferred()

    async def once() -> None:
        await waiting

    gc.collect()
    gc.disable()
    try:
        coroutine = once()
        gone = weakref.ref(coroutine)
        drive = Drive(coroutine, lambda _: None, lambda _: None)
        waiting.callback(None)
        del coroutine, drive
        assert gone() is None
        assert gc.collect() == 0
    finally:
        gc.enable()
