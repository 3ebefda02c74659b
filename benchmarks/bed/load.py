"""The clients: ``wrk`` for requests on kept connections, and clients of our own for CONNECT. All bounded."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bed.daemons import SMALL

_PIECE = 1024 * 1024
# A GET through the tunnel; the origin closes after it.
_REQUEST = b"GET /large HTTP/1.1\r\nHost: origin\r\nRange: bytes=0-%d\r\nConnection: close\r\n\r\n"
# More than the slowest peer needs for what is asked of it; whoever takes longer has failed.
_PATIENCE = 120.0

_SCRIPT = """
wrk.method = "{method}"
wrk.path = "http://127.0.0.1:{origin}/v1/messages"
wrk.headers["Host"] = "127.0.0.1:{origin}"
wrk.headers["User-Agent"] = "benchmark/1"
wrk.headers["Accept"] = "*/*"
{body}
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        '\\nMEASURED {{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
"""
_BODY = """
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer 0123456789abcdef0123456789abcdef"
wrk.body = io.open("{path}"):read("*a")
"""


class LoadFailed(Exception):
    """Something else than success came back: the numbers would be of errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the clients saw.

    :ivar count: requests, or tunnels, answered.
    :ivar seconds: wall time for all of them.
    :ivar p50: microseconds; ``p99`` as well.
    """

    count: int
    seconds: float
    p50: float
    p99: float


class Wrk:
    """One kind of request, sent by ``wrk`` in absolute-form on kept connections.

    :param folder: for its script.
    :param body: of a POST; None for a GET.
    """

    def __init__(self, folder: Path, name: str, origin: int, body: bytes | None = None) -> None:
        said = ""
        if body is not None:
            path = folder / f"{name}.body"
            path.write_bytes(body)
            said = _BODY.format(path=path)
        self._script = folder / f"{name}.lua"
        self._script.write_text(_SCRIPT.format(method="GET" if body is None else "POST", origin=origin, body=said))

    def run(self, port: int, connections: int, seconds: float) -> Load:
        """Send as fast as answers come.

        :param port: the proxy's.
        :param seconds: at least 1, whole; what ``wrk`` can do.
        :raises LoadFailed: an answer outside 2xx and 3xx, or none.
        """
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        command += ["-s", str(self._script), f"http://127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _PATIENCE, check=False)
        _, _, line = done.stdout.partition("\nMEASURED ")
        if not line:
            raise LoadFailed(f"wrk: {done.stdout}{done.stderr}")
        said = json.loads(line)
        if said["errors"] or not said["requests"]:
            raise LoadFailed(f"{said['errors']} of {said['requests']} requests failed: {done.stdout}")
        return Load(count=said["requests"], seconds=said["microseconds"] / 1e6, p50=said["p50"], p99=said["p99"])


def probe(port: int, origin: int, body: bytes | None) -> str:
    """One request through a proxy, so that what is measured is known to work.

    :returns: the response's head.
    :raises LoadFailed: it is not the origin's 200.
    """
    head = f"{'GET' if body is None else 'POST'} http://127.0.0.1:{origin}/ HTTP/1.1\r\nHost: 127.0.0.1:{origin}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + (body or b""))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(SMALL):
        raise LoadFailed(f"not the origin's answer: {answer[:500]!r}")
    return answer.partition(b"\r\n\r\n")[0].decode("latin-1")


def tunnels(port: int, origin: int, connections: int, count: int) -> Load:
    """Connect, CONNECT, read the 200, close; ``connections`` of them at a time, ``count`` in all.

    :raises LoadFailed: one was refused or broke off.
    """
    ask = f"CONNECT 127.0.0.1:{origin} HTTP/1.1\r\nHost: 127.0.0.1:{origin}\r\n\r\n".encode()
    times: list[float] = []
    begun = 0
    started = time.monotonic()
    with selectors.DefaultSelector() as selector:

        def begin() -> None:
            nonlocal begun
            begun += 1
            now = time.monotonic()
            client = socket.create_connection(("127.0.0.1", port), 10)
            client.sendall(ask)
            selector.register(client, selectors.EVENT_READ, now)

        for _ in range(min(connections, count)):
            begin()
        while len(times) < count:
            if time.monotonic() - started > _PATIENCE:
                raise LoadFailed(f"{len(times)} of {count} tunnels after {_PATIENCE:g} s")
            for key, _ in selector.select(5):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                answer = client.recv(65536)
                times.append(time.monotonic() - key.data)
                selector.unregister(client)
                client.close()
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise LoadFailed(f"CONNECT was answered {answer[:200]!r}")
                if begun < count:
                    begin()
    return _load(times, time.monotonic() - started)


def bulk(port: int, origin: int, size: int) -> Load:
    """Read ``size`` bytes of a large file through one tunnel, and drop them.

    :raises LoadFailed: it ended before.
    """
    ask = f"CONNECT 127.0.0.1:{origin} HTTP/1.1\r\nHost: 127.0.0.1:{origin}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(ask)
        answer = client.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise LoadFailed(f"CONNECT was answered {answer[:200]!r}")
        client.sendall(_REQUEST % (size - 1))
        started = time.monotonic()
        read, space = 0, bytearray(_PIECE)
        while read < size:
            got = client.recv_into(space)
            if not got:
                raise LoadFailed(f"the tunnel ended after {read} bytes")
            read += got
    seconds = time.monotonic() - started
    return Load(count=1, seconds=seconds, p50=seconds * 1e6, p99=seconds * 1e6)


def _load(times: Sequence[float], seconds: float) -> Load:
    ordered = sorted(times)
    at = len(ordered) - 1
    return Load(count=len(ordered), seconds=seconds, p50=ordered[at // 2] * 1e6, p99=ordered[at * 99 // 100] * 1e6)
