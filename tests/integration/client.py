"""What the tests ask a running sidecar, byte by byte and against the clock. Never imports the product."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.fakes.origin import Origin
from tests.integration.sidecar import ROOT, SECRET, Sidecar, head_of, read_all

WHOLE, TAMPERED, UNPROVEN = 0, 1, 3  # what `eve-proxy verify` exits with (evidence.md)
FIVE_KEYS = ["status", "reason", "pillar", "vector", "certificate"]


@dataclass(frozen=True)
class Answer:
    """A response, and how long it took.

    :ivar raw: every byte until the proxy closed, or the head of a tunnel.
    """

    raw: bytes
    seconds: float

    @cached_property
    def _parts(self) -> tuple[int, dict[str, str], bytes]:
        return head_of(self.raw)

    @property
    def status(self) -> int:
        return self._parts[0]

    @property
    def fields(self) -> dict[str, str]:
        return self._parts[1]

    @property
    def body(self) -> bytes:
        return self._parts[2]

    @property
    def certificate(self) -> dict[str, Any] | None:
        value = self.fields.get("x-eve-decision-cert")
        return None if value is None else json.loads(value)

    @property
    def refusal(self) -> dict[str, Any]:
        """The five keys, which say the same as the header."""
        said = json.loads(self.body)
        assert list(said) == FIVE_KEYS
        assert said["certificate"] == self.certificate
        return said


def post_head(netloc: str, size: int, path: str = "/", *fields: str) -> bytes:
    """The head of a POST in absolute-form that ends its connection."""
    lines = [f"POST http://{netloc}{path} HTTP/1.1", f"Host: {netloc}", "Connection: close", *fields]
    return "\r\n".join([*lines, f"Content-Length: {size}", "", ""]).encode()


def get_head(netloc: str, path: str = "/") -> bytes:
    """A GET in absolute-form that ends its connection."""
    return f"GET http://{netloc}{path} HTTP/1.1\r\nHost: {netloc}\r\nConnection: close\r\n\r\n".encode()


def connect_head(netloc: str) -> bytes:
    """A CONNECT."""
    return f"CONNECT {netloc} HTTP/1.1\r\nHost: {netloc}\r\n\r\n".encode()


def post(sidecar: Sidecar, origin: Origin | str, body: bytes = b"{}", path: str = "/", *fields: str) -> Answer:
    """POST through the proxy on a connection of its own."""
    netloc = origin if isinstance(origin, str) else origin.netloc
    return ask(sidecar, post_head(netloc, len(body), path, *fields) + body)


def get(sidecar: Sidecar, origin: Origin | str, path: str = "/") -> Answer:
    """GET through the proxy on a connection of its own."""
    netloc = origin if isinstance(origin, str) else origin.netloc
    return ask(sidecar, get_head(netloc, path))


def ready(sidecar: Sidecar) -> Answer:
    """``/readyz``."""
    return ask(sidecar, b"GET /readyz HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")


def connect(sidecar: Sidecar, origin: Origin | str) -> Answer:
    """CONNECT, then hang up: a tunnel's 200, or what refused it."""
    netloc = origin if isinstance(origin, str) else origin.netloc
    started = time.monotonic()
    with sidecar.connect() as connection:
        connection.sendall(connect_head(netloc))
        data = read_head(connection)
        seconds = time.monotonic() - started
        if not data.startswith(b"HTTP/1.1 200 "):
            data += read_all(connection)
        return Answer(data, seconds)


def ask(sidecar: Sidecar, request: bytes, *, timeout: float = 15) -> Answer:
    """Send bytes, read until the proxy closes; the time until the last byte of the answer."""
    started = time.monotonic()
    with sidecar.connect(timeout) as connection:
        connection.sendall(request)
        data = bytearray()
        while piece := connection.recv(65536):
            data += piece
            seconds = time.monotonic() - started
    assert data, "the proxy closed without an answer"
    return Answer(bytes(data), seconds)


def read_head(connection: socket.socket) -> bytes:
    """Up to the blank line, and what came with it."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"the proxy closed after {bytes(data)!r}"
        data += piece
    return bytes(data)


def pause(seconds: float) -> None:
    """Real processes need real time; only these tests may take it (architecture.md, law 5)."""
    time.sleep(seconds)  # noqa: TID251


def verify(journal: Path) -> tuple[int, str]:
    """``eve-proxy verify`` in a process of its own: its exit code and what it said."""
    program = "import sys; from eve_proxy.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "verify", str(journal)]
    environ = {**os.environ, "JWT_SECRET_KEY": SECRET, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr
