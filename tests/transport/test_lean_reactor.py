"""The lean reactor dispatches what the stock one does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.application.reactors import IReactorInstaller
from twisted.internet.main import CONNECTION_LOST
from twisted.plugin import getPlugins

from eve_proxy.transport import lean_reactor
from eve_proxy.transport.lean_reactor import LeanEPollReactor
from eve_proxy.transport.sending import send_soon
from tests.transport.test_sending import FakeSocket, connection


class Poller:
    """Answers with prepared events."""

    def __init__(self, events: Any) -> None:
        self.events = events
        self.asked: list[tuple[float, int]] = []

    def poll(self, timeout: float, most: int) -> Any:
        self.asked.append((timeout, most))
        if isinstance(self.events, Exception):
            raise self.events
        return self.events


class Descriptor:
    def __init__(self, reactor: Any, number: int) -> None:
        self.reactor, self.number = reactor, number
        self.calls: list[str] = []
        self.answer: Any = None
        self.closes: int | None = None

    def fileno(self) -> int:
        return self.number

    def doRead(self) -> Any:
        self.calls.append("read")
        if self.closes is not None:
            del self.reactor._selectables[self.closes]
        if isinstance(self.answer, Exception) and self.answer is not CONNECTION_LOST:
            raise self.answer
        return self.answer

    def doWrite(self) -> None:
        self.calls.append("write")

    def connectionLost(self, reason: Any) -> None:
        self.calls.append(type(reason.value).__name__)


@pytest.fixture
def reactor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One that polls nothing."""
    made: Any = LeanEPollReactor.__new__(LeanEPollReactor)
    made._reads, made._writes = {1, 2}, set()
    made.gathers, made.outbox = True, {}
    made._selectables = {1: Descriptor(made, 1), 2: Descriptor(made, 2)}
    for name in ("removeReader", "removeWriter"):
        monkeypatch.setattr(LeanEPollReactor, name, lambda self, selectable: None)
    return made


def test_dispatches(reactor: Any) -> None:
    """Readable and writable sockets are served."""
    one, two = reactor._selectables.values()
    reactor._poller = Poller([(1, reactor._POLL_IN), (2, reactor._POLL_IN | reactor._POLL_OUT), (3, reactor._POLL_IN)])
    reactor.doIteration(1.5)
    assert (one.calls, two.calls) == (["read"], ["read", "write"])
    assert reactor._poller.asked == [(1.5, 2)]
    reactor.doPoll(None)
    assert reactor._poller.asked[1] == (-1, 2)


def test_a_lost_connection_is_told(reactor: Any) -> None:
    """An error that a transport reports disconnects it."""
    one = reactor._selectables[1]
    one.answer = CONNECTION_LOST
    reactor._poller = Poller([(1, reactor._POLL_IN)])
    reactor.doPoll(0)
    assert one.calls == ["read", "ConnectionLost"]


def test_one_event_may_end_another(reactor: Any) -> None:
    """A connection that was closed a moment ago is not touched."""
    one, two = reactor._selectables.values()
    one.closes = 2
    reactor._poller = Poller([(1, reactor._POLL_IN), (2, reactor._POLL_IN)])
    reactor.doPoll(0)
    assert (one.calls, two.calls) == (["read"], [])


def test_a_signal_is_no_error(reactor: Any) -> None:
    """SIGTERM during a quiet moment stops the daemon in an orderly way; anything else is loud."""
    reactor._poller = Poller(InterruptedError(4, "Interrupted"))
    reactor.doPoll(0)
    reactor._poller = Poller(OSError(9, "Bad file descriptor"))
    with pytest.raises(OSError):
        reactor.doPoll(0)


class Speaker(Descriptor):
    """Says something when it is read; knows what had left by then."""

    def __init__(self, reactor: Any, number: int) -> None:
        super().__init__(reactor, number)
        self.socket = FakeSocket()
        self.peer: Any = connection(self.socket)
        self.peer.reactor = reactor

    def doRead(self) -> None:
        send_soon(self.peer, b"said")
        self.calls.append(self.socket.sent.decode())


def test_a_busy_turn_is_sent_when_it_ends(reactor: Any) -> None:
    """Whoever reads at the other end is woken once for all that many clients' requests lead to."""
    one, two = (Speaker(reactor, number) for number in (1, 2))
    reactor._selectables = {1: one, 2: two}
    reactor._poller = Poller([(1, reactor._POLL_IN), (2, reactor._POLL_IN)])
    reactor.doPoll(0)
    assert [one.calls, two.calls] == [[""], [""]]
    assert [one.socket.sent, two.socket.sent] == [b"said", b"said"]
    assert not reactor.outbox


def test_a_lone_request_does_not_wait(reactor: Any) -> None:
    """What nobody shares the turn with leaves at once."""
    one = reactor._selectables[1] = Speaker(reactor, 1)
    reactor._poller = Poller([(1, reactor._POLL_IN)])
    reactor.doPoll(0)
    assert one.calls == ["said"]


def test_what_timers_and_threads_say_leaves_before_the_reactor_sleeps(reactor: Any) -> None:
    """A request that a commit released is on its way before anything is waited for."""
    skt = FakeSocket()
    conn: Any = connection(skt)
    conn.reactor = reactor
    send_soon(conn, b"released")
    assert skt.sent == b""
    asked: list[bytes] = []

    class Sleeper(Poller):
        def poll(self, timeout: float, most: int) -> Any:
            asked.append(skt.sent)
            return []

    reactor._poller = Sleeper([])
    reactor.doPoll(None)
    assert asked == [b"released"]


@pytest.mark.parametrize("chosen", [True, False])
def test_a_chosen_reactor_stays(monkeypatch: pytest.MonkeyPatch, chosen: bool) -> None:
    """`twistd --reactor` and programs that bring a reactor have their way."""
    installed: list[Any] = []
    monkeypatch.setattr(lean_reactor, "installReactor", installed.append)
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", object())
    if not chosen:
        monkeypatch.delitem(sys.modules, "twisted.internet.reactor")
    lean_reactor.install_unless_chosen()
    assert [type(reactor) for reactor in installed] == ([] if chosen else [LeanEPollReactor])


def test_twistd_offers_it() -> None:
    """`twistd --reactor eve-epoll` finds it."""
    found = [plugin for plugin in getPlugins(IReactorInstaller) if plugin.shortName == "eve-epoll"]
    assert [plugin.moduleName for plugin in found] == ["eve_proxy.transport.lean_reactor"]
