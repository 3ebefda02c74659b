"""Datagrams to the service manager (sd_notify(3))."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

# Seconds until a message for which the manager had no room is sent again.
AGAIN: Final = 0.1

_FLAGS: Final = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_log = Logger()


def _datagrams() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


class Notifier:
    """Tells the service manager. Never waits for it, and never fails: a manager that is not there is one warning.

    :param where: NOTIFY_SOCKET: a path, or ``@`` and a name of the abstract namespace (unix(7)).
    :param timers: the reactor.
    :param make_socket: an unconnected datagram socket; the address is looked up anew for each message, because a
        manager that is executed again has another socket there.
    """

    def __init__(self, where: str, *, timers: IReactorTime, make_socket: Callable[[], Any] = _datagrams) -> None:
        self._address = f"\0{where[1:]}" if where.startswith("@") else where
        self._timers = timers
        self._socket = make_socket()
        self._waiting: deque[bytes] = deque()
        self._warned = False

    def tell(self, **assignments: object) -> None:
        """Send ``NAME=value`` lines as one message, behind those that could not be sent yet."""
        text = "\n".join([f"{name}={_one_line(value)}" for name, value in assignments.items()])
        self._waiting.append(text.encode("utf-8", "backslashreplace"))
        if len(self._waiting) == 1:
            self._send()

    def _send(self) -> None:
        while self._waiting:
            try:
                self._socket.sendto(self._waiting[0], _FLAGS, self._address)
            except BlockingIOError:
                self._timers.callLater(AGAIN, self._send)
                return
            except OSError as error:
                self._complain(error)
            self._waiting.popleft()

    def _complain(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            why = error.strerror or str(error)
            _log.warn("the service manager cannot be told anything: NOTIFY_SOCKET: {error}", error=why)


def _one_line(value: object) -> str:
    return " ".join(str(value).splitlines())
