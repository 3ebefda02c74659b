"""A real ``twistd eve-sidecar`` process for tests. Never imports the product."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret of the integration tests, 32+"
_LISTENING = re.compile(r"listening on (\S+):(\d+)")


def twistd() -> list[str]:
    """The command beside the running interpreter."""
    beside = Path(sys.executable).with_name("twistd")
    return [str(beside)] if beside.exists() else [shutil.which("twistd") or "twistd"]


class Process:
    """A daemon whose output is kept, ready once ``pattern`` was printed."""

    def __init__(
        self,
        command: list[str],
        environ: dict[str, str],
        cwd: Path,
        *,
        pattern: re.Pattern[str],
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.lines: list[str] = []
        self.finished = False  # all that it printed has been read
        self._ready = threading.Event()
        self.match: re.Match[str] | None = None
        self._pattern = pattern
        self.process = subprocess.Popen(
            command,
            env=environ,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=pass_fds,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if self.match is None and (match := self._pattern.search(line)):
                self.match = match
                self._ready.set()
        self.finished = True
        self._ready.set()

    def wait_ready(self, timeout: float = 20) -> None:
        """Block until it listens; fail with its output otherwise."""
        self._ready.wait(timeout)
        if self.match is None:
            self.kill()
            raise AssertionError(f"the daemon did not start:\n{self.output}")

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "".join(self.lines)

    def stop(self, timeout: float = 40) -> int:
        """SIGTERM, and the exit code. What a client left open is reset after 20 seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(20)


class Sidecar(Process):
    """``twistd -n --pidfile= eve-sidecar`` on a kernel-chosen loopback port, journal in ``folder``.

    :param settings: more variables; None removes one.
    :param prefix: a command to run it under (strace, setpriv).
    :param pass_fds: descriptors that it keeps.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prefix: tuple[str, ...] = (),
        ready: bool = True,
        pass_fds: tuple[int, ...] = (),
        **settings: str | None,
    ) -> None:
        self.folder = folder
        self.journal = folder / "journal.jsonl"
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("EVE_", "JWT_", "http", "HTTP"))
        }
        environ["PYTHONPATH"] = str(ROOT)
        environ.update(
            JWT_SECRET_KEY=SECRET,
            EVE_PROXY_HOST="127.0.0.1",
            EVE_PROXY_PORT="0",
            EVE_PROXY_TRANSPARENT_PORT="0",
            EVE_PROXY_ORG_ID="integration",
            EVE_PROXY_AUDIT_LOG=str(self.journal),
            EVE_PROXY_ALLOWED_NETWORKS="127.0.0.0/8,[::1/128]",
            EVE_PROXY_CONNECT_PORTS="*",
            # Most origins of these tests speak no TLS; test_tunnels.py has the rule.
            EVE_PROXY_CONNECT_SNI="off",
        )
        for name, value in settings.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
        command = [*prefix, *twistd(), "-n", "--pidfile=", "eve-sidecar"]
        super().__init__(command, environ, folder, pattern=_LISTENING, pass_fds=pass_fds)
        if ready:
            self.wait_ready()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.match is not None
        return int(self.match.group(2))

    @property
    def url(self) -> str:
        """For ``--proxy``."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def connect(self, timeout: float = 10) -> socket.socket:
        """A client connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def ask(self, request: bytes, *, timeout: float = 10) -> bytes:
        """Send raw bytes, read until the proxy closes."""
        with self.connect(timeout) as connection:
            connection.sendall(request)
            return read_all(connection)

    def records(self) -> list[dict[str, Any]]:
        """The journal, parsed."""
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_bytes().splitlines()]

    def decisions(self) -> list[dict[str, Any]]:
        """The journal's decisions."""
        return [record for record in self.records() if record["kind"] == "decision"]

    def decision_lines(self) -> list[dict[str, Any]]:
        """The canonical log lines so far."""
        return [json.loads(line) for line in self.lines if line.startswith('{"event":"decision"')]


def read_all(connection: socket.socket) -> bytes:
    """Until the peer closes."""
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


def until(condition: Any, timeout: float = 10) -> Any:
    """Poll until ``condition()`` is truthy; its value. Fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("the expected state did not come about in time")
        time.sleep(0.01)  # noqa: TID251  a real process has no clock of ours
    return value


def head_of(response: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, fields (lower-case names) and body bytes of a raw response."""
    head, _, body = response.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split(" ")[1]), fields, body
