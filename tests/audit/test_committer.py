"""The committer's thread: order, answers, errors."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eve_proxy.audit.committer import Committer


class Mailbox:
    """``callFromThread`` for a test: calls arrive here, and run when the test takes them."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.Queue()

    def __call__(self, function: Callable[..., Any], *args: Any) -> None:
        self.calls.put((function, args))

    def take(self) -> None:
        function, args = self.calls.get(timeout=10)
        function(*args)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def test_runs_elsewhere_in_order_and_answers_here(mailbox: Mailbox) -> None:
    """Writes happen off the reactor's thread, one after the other, and their answers arrive on it."""
    committer = Committer(mailbox)
    seen: list[tuple[int, int]] = []
    answers: list[tuple[int, int]] = []

    def work(number: int) -> int:
        seen.append((number, threading.get_ident()))
        return number * 10

    for number in range(20):
        committer(work, number).addCallback(lambda result: answers.append((result, threading.get_ident())))
    for _ in range(20):
        mailbox.take()
    committer.stop()
    here = threading.get_ident()
    assert [number for number, _ in seen] == list(range(20))
    assert here not in {thread for _, thread in seen}
    assert answers == [(number * 10, here) for number in range(20)]


@pytest.mark.parametrize("error", [OSError(5, "broken"), ZeroDivisionError(), KeyboardInterrupt(), SystemExit()])
def test_errors_come_back_and_the_thread_goes_on(mailbox: Mailbox, error: BaseException) -> None:
    """Whatever goes wrong in a write reaches the one who waits for it; the next write is made."""
    committer = Committer(mailbox)

    def fail() -> None:
        raise error

    caught: list[Any] = []
    committer(fail).addErrback(caught.append)
    mailbox.take()
    assert caught[0].value is error
    committer(int, "7").addCallback(caught.append)
    mailbox.take()
    assert caught[1] == 7
    committer.stop()


def test_stop_lets_what_was_asked_for_finish(mailbox: Mailbox) -> None:
    """Nothing that was handed over before the stop is lost."""
    committer = Committer(mailbox)
    results: list[int] = []
    for number in range(5):
        committer(int, number).addCallback(results.append)
    thread = committer._thread
    committer.stop()
    committer.stop()
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    for _ in range(5):
        mailbox.take()
    assert results == [0, 1, 2, 3, 4]


def test_no_thread_before_the_first_call(mailbox: Mailbox) -> None:
    """A daemon that forks after reading its configuration has no thread to lose."""
    assert Committer(mailbox)._thread is None
