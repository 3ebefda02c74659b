"""Datagrams to the service manager, on a fake socket."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from eve_proxy.systemd.notify import AGAIN, Notifier


class Datagrams:
    """Keeps what is sent; raises what it is given first."""

    def __init__(self, *failures: OSError) -> None:
        self.failures = list(failures)
        self.sent: list[tuple[bytes, str]] = []

    def sendto(self, data: bytes, flags: int, address: str) -> None:
        assert flags & socket.MSG_DONTWAIT, "the reactor must not wait for the manager"
        assert flags & socket.MSG_NOSIGNAL
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((data, address))

    @property
    def messages(self) -> list[bytes]:
        return [data for data, _ in self.sent]


def notifier(*failures: OSError, where: str = "/run/notify") -> tuple[Notifier, Datagrams, Clock]:
    datagrams, clock = Datagrams(*failures), Clock()
    made: Any = Notifier(where, timers=clock, make_socket=lambda: datagrams)
    return made, datagrams, clock


@pytest.mark.parametrize(("where", "address"), [("/run/notify", "/run/notify"), ("@notify/1", "\0notify/1")])
def test_the_address(where: str, address: str) -> None:
    """A leading @ is the abstract namespace."""
    made, datagrams, _ = notifier(where=where)
    made.tell(READY=1, STATUS="well")
    assert datagrams.sent == [(b"READY=1\nSTATUS=well", address)]


def test_nothing_can_add_an_assignment() -> None:
    """A status with a line break in it is one line: it cannot say READY=1."""
    made, datagrams, _ = notifier()
    made.tell(STATUS="bad\nREADY=1\r\n\u2028x")
    assert datagrams.messages == [b"STATUS=bad READY=1  x"]


def test_a_manager_without_room_is_told_later_in_order() -> None:
    """Nothing is lost when systemd is slow, and the proxy serves on meanwhile."""
    made, datagrams, clock = notifier(BlockingIOError(), BlockingIOError())
    made.tell(RELOADING=1)
    made.tell(READY=1)
    assert datagrams.sent == []
    clock.advance(AGAIN)
    assert datagrams.sent == []
    clock.advance(AGAIN)
    assert datagrams.messages == [b"RELOADING=1", b"READY=1"]
    assert clock.getDelayedCalls() == []
    made.tell(STOPPING=1)
    assert datagrams.messages[-1] == b"STOPPING=1"


def test_a_manager_that_is_away_is_one_warning() -> None:
    """The daemon goes on, and tells again when there is somebody."""
    made, datagrams, _ = notifier(OSError(errno.ENOENT, "No such file"), OSError(errno.ECONNREFUSED, "refused"))
    with capturedLogs() as logs:
        made.tell(READY=1)
        made.tell(WATCHDOG=1)
        made.tell(WATCHDOG=1)
    assert datagrams.messages == [b"WATCHDOG=1"]
    assert [event["error"] for event in logs] == ["No such file"]
