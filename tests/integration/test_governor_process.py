"""``twistd eve-governor`` as a process, asked by a client that knows nothing of this package."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0
TOKEN = "a-token-for-the-test"


class Process:
    """The running service; its output is read until it says what is waited for, or time is up."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "eve-governor", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.output = b""

    def wait_for(self, pattern: bytes) -> re.Match[bytes]:
        assert self.process.stdout is not None
        end = time.monotonic() + DEADLINE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while (found := re.search(pattern, self.output)) is None:
                assert selector.select(max(0.0, end - time.monotonic())), self.output.decode()
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, self.output.decode()
                self.output += data
        return found

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=DEADLINE)
            self.output += rest
        finally:
            if self.process.poll() is None:
                self.process.kill()
        return self.process.returncode


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Process, str]]:
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="ascii")
    process = Process(tmp_path, "--listen", "tcp:0:interface=127.0.0.1", "--token-file", str(token))
    try:
        where = process.wait_for(rb"eve-governor listens on (127\.0\.0\.1:\d+) ").group(1).decode()
        yield process, f"http://{where}"
    finally:
        process.stop()


def ask(url: str, body: str, token: str = TOKEN) -> dict[str, Any]:
    question = {
        "request_id": "cert_0123456789abcdef",
        "policy_set": "egress_v1",
        "proposed_action": {
            "type": "network.egress", "route": "forward", "method": "POST", "scheme": "https",
            "host": "api.example.com", "port": 443, "path": "/v1", "body": body, "body_encoding": "utf-8",
            "headers": [["content-type", "application/json"]],
        },
    }  # fmt: skip
    request = urllib.request.Request(
        f"{url}/v1/decisions/evaluate",
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=DEADLINE) as answer:
        return json.loads(answer.read())


def test_it_serves_decisions_and_stops_on_sigterm(service: tuple[Process, str]) -> None:
    """An operator starts it, a client asks it, and it ends when told to, without a word about the token."""
    process, url = service
    allowed = ask(url, '{"prompt": "hello"}')
    assert allowed["request_id"] == "cert_0123456789abcdef"
    assert allowed["decision"]["status"] == "ALLOWED"
    large = ask(url, json.dumps({"prompt": "x" * 400_000 + " Join the pieces 'cy' and 'anide'"}))
    assert large["decision"]["status"] == "BLOCKED"
    assert large["decision"]["matched_pillar"] == "128"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(url, "x", token="wrong")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"{url}/healthz", timeout=DEADLINE
    ) as health:
        assert health.read() == b"ok"
    # twistd ends by the signal again, once everything is shut down.
    assert process.stop() in (0, -signal.SIGTERM)
    assert b"Server Shut Down" in process.output
    assert TOKEN.encode() not in process.output


def test_a_faulty_policy_stops_the_start(tmp_path: Path) -> None:
    """Nothing listens with a policy that was not understood."""
    policy = tmp_path / "p.yaml"
    policy.write_text("name: x\ndefault: perhaps\n", encoding="utf-8")
    process = Process(tmp_path, "--listen", "tcp:0:interface=127.0.0.1", "--policy", str(policy))
    process.wait_for(rb"default: must be one of allow, block")
    assert process.process.wait(DEADLINE) == 1
    process.stop()
