"""The bounded daemon threads."""

from __future__ import annotations

import threading
from unittest import mock

import pytest

from eve_proxy.enforcement.library.runners import Runners


def test_runs_and_answers() -> None:
    """Result and exception come back through the future."""
    runners = Runners("test", 2)
    assert runners.submit(max, 1, 2).result(20) == 2
    assert isinstance(runners.submit(int, "x").exception(20), ValueError)
    assert isinstance(runners.submit(exec, "raise SystemExit").exception(20), SystemExit)
    assert runners.submit(max, 1, 2).result(20) == 2


def test_never_more_threads_than_allowed_and_idle_ones_are_used_again() -> None:
    """A hundred calls one after the other need one thread; many at once as many as allowed, all daemons."""
    runners = Runners("few", 3)
    for _ in range(100):
        runners.submit(int).result(20)
        while not runners._idle:  # the thread reports back a moment after its result
            pass
    assert _named("few") == 1
    release, barrier = threading.Event(), threading.Barrier(4)
    held = [runners.submit(barrier.wait, 20) for _ in range(3)]
    waiting = runners.submit(release.set)
    barrier.wait(20)
    for future in held:
        future.result(20)
    waiting.result(20)
    assert _named("few") == 3
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("few-"))


def _named(name: str) -> int:
    return sum(thread.name.startswith(f"{name}-") for thread in threading.enumerate())


def test_what_is_cancelled_in_time_never_runs() -> None:
    """A job that waits for a thread can be taken back, for good."""
    runners, release, ran = Runners("busy", 1), threading.Event(), []
    blocker = runners.submit(release.wait, 20)
    job = runners.submit(ran.append, "ran")
    assert job.cancel()
    release.set()
    blocker.result(20)
    runners.submit(int).result(20)
    assert ran == []


def test_a_system_without_threads_is_an_error_and_heals() -> None:
    """When no thread can be started the caller learns it; the job is not left behind."""
    runners, ran = Runners("none", 1), []
    with (
        mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")),
        pytest.raises(RuntimeError),
    ):
        runners.submit(ran.append, "ran")
    assert runners.submit(int).result(20) == 0
    assert ran == []
