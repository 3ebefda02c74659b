"""The network, as a process here sees it: the only module of the doctor that opens sockets.

Every call is over within the timeout. What can happen to a connection is a small table (``How``): a refusal, silence
and an answer mean different things.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

# The most that is read of any answer: a thousand certificates of the proxy are about 1 MiB.
MOST: Final = 8 << 20
_PIECE: Final = 65536


class How(Enum):
    """What became of what was sent."""

    ANSWERED = "it was answered"
    CONNECTED = "the connection was made, and nothing came back"
    REFUSED = "it was refused at once"
    UNREACHABLE = "there is no route to it"
    SILENT = "nothing came back in time"
    NO_NAME = "its name does not resolve"


REACHED: Final = (How.ANSWERED, How.CONNECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came back.

    :ivar data: as much as was wanted.
    """

    how: How
    data: bytes = b""

    @property
    def reached(self) -> bool:
        """A connection was made."""
        return self.how in REACHED


class Network(Protocol):
    """What the checks ask of it."""

    def stream(self, host: str, port: int, data: bytes, enough: Callable[[bytes], bool]) -> Heard:
        """Connect by TCP, send, and read until it is ``enough``, the other side closes, or time is up."""

    def datagram(self, address: str, port: int, data: bytes) -> Heard:
        """Send a datagram by UDP and wait for one."""

    def lookup(self, name: str) -> tuple[str, ...]:
        """The addresses of a name; none when it does not resolve in time."""


class SocketNetwork:
    """``Network`` for real.

    :param timeout: seconds that each call may take in all.
    :param monotonic: seconds that never go back.
    """

    def __init__(self, timeout: float, monotonic: Callable[[], float]) -> None:
        self._timeout = timeout
        self._monotonic = monotonic

    def stream(self, host: str, port: int, data: bytes, enough: Callable[[bytes], bool]) -> Heard:
        """See ``Network.stream``. The addresses of a name are tried in turn."""
        due = self._monotonic() + self._timeout
        heard = Heard(how=How.NO_NAME)
        for address in self.lookup(host):
            heard = self._stream(address, port, data, enough, due)
            if heard.reached:
                break
        return heard

    def _stream(self, address: str, port: int, data: bytes, enough: Callable[[bytes], bool], due: float) -> Heard:
        try:
            connection = socket.socket(_family(address), socket.SOCK_STREAM)
        except OSError:  # this kernel has no IPv6
            return Heard(how=How.UNREACHABLE)
        with connection:
            try:
                connection.settimeout(self._left(due))
                connection.connect((address, port))
            except OSError as error:
                return Heard(how=_how(error))
            received = bytearray()
            try:
                connection.sendall(data)
                while len(received) < MOST and not enough(bytes(received)):
                    connection.settimeout(self._left(due))
                    piece = connection.recv(_PIECE)
                    if not piece:
                        break
                    received += piece
            except OSError:  # reset, or too late: what came so far counts
                pass
        return Heard(how=How.ANSWERED if received else How.CONNECTED, data=bytes(received))

    def datagram(self, address: str, port: int, data: bytes) -> Heard:
        """See ``Network.datagram``."""
        try:
            with socket.socket(_family(address), socket.SOCK_DGRAM) as sender:
                sender.settimeout(self._timeout)
                sender.connect((address, port))
                sender.send(data)
                return Heard(how=How.ANSWERED, data=sender.recv(_PIECE))
        except OSError as error:
            return Heard(how=_how(error))

    def lookup(self, name: str) -> tuple[str, ...]:
        """See ``Network.lookup``. The resolver has time limits of its own, which are longer: it is left behind."""
        found: list[str] = []

        def look() -> None:
            try:
                answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                return
            found.extend(dict.fromkeys([str(answer[4][0]) for answer in answers]))

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(self._timeout)
        return tuple(found)

    def _left(self, due: float) -> float:
        return max(0.001, due - self._monotonic())


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _how(error: OSError) -> How:
    if isinstance(error, TimeoutError):
        return How.SILENT
    # A local rule that rejects tells the sender EPERM (UDP, in an output chain), or by ICMP.
    if isinstance(error, ConnectionError | PermissionError):
        return How.REFUSED
    return How.UNREACHABLE
