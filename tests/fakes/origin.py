"""A recording origin on loopback: it keeps every byte it got. Standard library only; knows nothing of the proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Arrival:
    """One accepted connection."""

    data: bytearray = field(default_factory=bytearray)
    closed: threading.Event = field(default_factory=threading.Event)


Answer = Callable[[socket.socket, Arrival], None]


class Origin:
    """Accepts connections on a kernel-chosen port and lets ``answer`` talk, each in a thread.

    :ivar arrivals: every connection so far: the tests' measure of what left.
    """

    def __init__(self, answer: Answer | None = None, *, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.arrivals: list[Arrival] = []
        self._answer = answer or respond(b"hello from the origin\n")
        self._listener = socket.create_server((host, 0), family=family, backlog=128)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._probes: dict[int, threading.Event] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def netloc(self) -> str:
        """``host:port`` as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The root."""
        return f"http://{self.netloc}"

    @property
    def received(self) -> bytes:
        """Every byte of every connection."""
        return b"".join(bytes(arrival.data) for arrival in self.arrivals)

    def reached(self) -> int:
        """How many connections were made so far, those that the kernel holds ready included.

        A connection of its own is accepted after all of them: nothing that was made before goes unnoticed.
        """
        with socket.socket(self._listener.family) as probe:
            probe.bind((self.host, 0))
            through = self._probes[probe.getsockname()[1]] = threading.Event()
            probe.connect((self.host, self.port))
            assert through.wait(10)
        return len(self.arrivals)

    def close(self) -> None:
        """Stop listening and reset what is open."""
        self._listener.close()
        for connection in self._open:
            connection.close()

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            if probe := self._probes.pop(peer[1], None):
                connection.close()
                probe.set()
                continue
            arrival = Arrival()
            self.arrivals.append(arrival)
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, arrival), daemon=True).start()

    def _serve(self, connection: socket.socket, arrival: Arrival) -> None:
        try:
            with connection:
                self._answer(connection, arrival)
        except OSError:
            pass
        finally:
            arrival.closed.set()


def read_request(connection: socket.socket, arrival: Arrival, start: int = 0) -> bytes | None:
    """One request that is framed by Content-Length or chunked; None at the end of the connection."""
    while b"\r\n\r\n" not in arrival.data[start:]:
        if not _more(connection, arrival):
            return None
    end = arrival.data.index(b"\r\n\r\n", start) + 4
    head = bytes(arrival.data[start:end]).lower()
    if b"transfer-encoding: chunked" in head:
        while not arrival.data[end:].endswith(b"0\r\n\r\n"):
            if not _more(connection, arrival):
                return None
        end = len(arrival.data)
    elif b"content-length: " in head:
        end += int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(arrival.data) < end:
            if not _more(connection, arrival):
                return None
    return bytes(arrival.data[start:end])


def _more(connection: socket.socket, arrival: Arrival) -> bool:
    data = connection.recv(65536)
    arrival.data += data
    return bool(data)


def respond(body: bytes, *, status: str = "200 OK", fields: tuple[str, ...] = ()) -> Answer:
    """Answers every request on a keep-alive connection with the same response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/plain", *fields]
    response = "\r\n".join(lines).encode() + b"\r\n\r\n"

    def answer(connection: socket.socket, arrival: Arrival) -> None:
        start = 0
        while (request := read_request(connection, arrival, start)) is not None:
            start += len(request)
            connection.sendall(response if request.startswith(b"HEAD ") else response + body)

    return answer


def raw(*pieces: bytes, close: bool = True) -> Answer:
    """Reads one request, then sends ``pieces`` as they are."""

    def answer(connection: socket.socket, arrival: Arrival) -> None:
        if read_request(connection, arrival) is None:
            return
        for piece in pieces:
            connection.sendall(piece)
        if not close:
            while _more(connection, arrival):
                pass

    return answer


def echo(connection: socket.socket, arrival: Arrival) -> None:
    """Sends back what comes, for tunnels; half-closes when the peer does."""
    while data := connection.recv(65536):
        arrival.data += data
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
