"""A body while it arrives."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from eve_proxy.model.body import Body
from eve_proxy.model.errors import BodyInterrupted, BodyTooLarge, EveError, Malformed, Overloaded
from eve_proxy.transport.body_source import IncomingBody
from eve_proxy.transport.limits import BufferAccount


class Bench:
    """A body, and what became of it."""

    def __init__(self, *, declared: int | None = None, limit: int = 100, room: int = 1000) -> None:
        self.account = BufferAccount(room)
        self.invited = 0
        self.body = IncomingBody(declared=declared, limit=limit, account=self.account, invite=self._invite)
        self.results: list[Any] = []

    def _invite(self) -> None:
        self.invited += 1

    def read(self) -> None:
        read = Deferred.fromCoroutine(self.body.read())
        read.addCallbacks(self.results.append, lambda failure: self.results.append(failure.value))


def test_pieces_become_one_body() -> None:
    """The judge sees what was sent, in order, with its digest."""
    bench = Bench()
    bench.read()
    for piece in (b"one ", b"two ", b"three"):
        bench.body.add(piece)
    assert bench.results == []
    bench.body.finish()
    (body,) = bench.results
    assert body == Body(
        chunks=(b"one two three",),
        size=13,
        sha256=hashlib.sha256(b"one two three").hexdigest(),
        content=b"one two three",
    )
    assert bench.account.held == 13
    bench.body.release()
    assert bench.account.held == 0


def test_a_body_that_came_first_is_there_at_once() -> None:
    """A small request is decided without waiting."""
    bench = Bench()
    bench.body.add(b"x")
    bench.body.finish()
    bench.read()
    assert bench.results[0].content == b"x"
    assert bench.invited == 0


def test_invited_once_and_only_when_nothing_came() -> None:
    """100 Continue is sent when the judge asks for the body."""
    bench = Bench()
    assert bench.invited == 0
    bench.read()
    assert bench.invited == 1
    early = Bench()
    early.body.add(b"x")
    early.read()
    assert early.invited == 0


def test_declared_too_large_fails_before_a_byte() -> None:
    """A Content-Length over the limit is refused without inviting the body."""
    bench = Bench(declared=101)
    assert bench.body.complete
    bench.read()
    assert isinstance(bench.results[0], BodyTooLarge)
    assert bench.invited == 0


@pytest.mark.parametrize(("size", "kept"), [(100, True), (101, False)])
def test_limit_is_exact(size: int, kept: bool) -> None:
    """EVE_PROXY_MAX_BODY bytes pass, one more does not, and what was held is given back."""
    bench = Bench()
    bench.read()
    bench.body.add(b"x" * (size - 1))
    bench.body.add(b"x")
    bench.body.finish()
    assert isinstance(bench.results[0], Body if kept else BodyTooLarge)
    assert bench.account.held == (size if kept else 0)


def test_all_bodies_together_are_bounded() -> None:
    """When the process holds its share, a further body is turned away, not swapped."""
    bench = Bench(room=10)
    bench.read()
    bench.body.add(b"x" * 11)
    assert isinstance(bench.results[0], Overloaded)
    assert bench.account.held == 0


def test_what_is_made_of_a_body_counts_with_it() -> None:
    """Ten bytes that decode to ninety take a hundred of the process's share until the exchange is over."""
    bench = Bench(room=100)
    bench.read()
    bench.body.add(b"x" * 10)
    bench.body.finish()
    bench.body.hold(90)
    assert bench.account.held == 100
    with pytest.raises(Overloaded, match="EVE_PROXY_MAX_BUFFERED"):
        bench.body.hold(1)
    bench.body.release()
    bench.body.release()
    assert bench.account.held == 0


@pytest.mark.parametrize("error", [Malformed("x", "x"), BodyInterrupted("x")])
def test_failure_reaches_the_judge_whenever_it_reads(error: EveError) -> None:
    """Broken framing is told once, before or after the judge asked."""
    before, after = Bench(), Bench()
    before.read()
    for bench in (before, after):
        bench.body.add(b"xyz")
        bench.body.fail(error)
        bench.body.fail(BodyTooLarge("second"))
        assert bench.account.held == 0
        assert (bench.body.complete, bench.body.arrived) == (True, False)
    after.read()
    assert before.results == after.results == [error]


def test_interrupting_a_complete_body_changes_nothing() -> None:
    """A client that leaves after sending everything has still sent everything."""
    bench = Bench()
    bench.body.finish()
    bench.body.interrupt()
    bench.read()
    assert bench.results[0].size == 0


def test_failed_is_not_arrived() -> None:
    """A body that was refused early is not taken for one that is over: its bytes are still to come."""
    bench = Bench(declared=1000, limit=100)
    assert bench.body.complete
    assert not bench.body.arrived
    bench.body.finish()
    assert bench.body.arrived


@pytest.mark.parametrize("declared", [51, None])
def test_narrowed(declared: int | None) -> None:
    """Who wants less than EVE_PROXY_MAX_BODY gets no more; what is held by then is given back."""
    bench = Bench(declared=declared)
    bench.body.add(b"x" * 51)
    bench.body.narrow(50)
    bench.read()
    (error,) = bench.results
    assert isinstance(error, BodyTooLarge)
    assert bench.account.held == 0


def test_narrowed_to_what_it_has() -> None:
    """The bound itself is fine, one byte more is not, and nothing is widened."""
    bench = Bench()
    bench.body.narrow(3)
    bench.body.narrow(1000)
    bench.read()
    bench.body.add(b"abc")
    assert bench.results == []
    bench.body.add(b"d")
    assert isinstance(bench.results[0], BodyTooLarge)
