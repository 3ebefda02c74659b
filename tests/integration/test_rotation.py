"""A running daemon whose journal is rotated under load, and what clients can fetch of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.origin import Origin
from tests.integration.client import Answer, ask, connect, get, verify
from tests.integration.sidecar import Sidecar, until


def fetch(sidecar: Sidecar, path: str) -> Answer:
    return ask(sidecar, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())


class Load:
    """Three clients until told to stop; every certificate that was answered is remembered.

    :param pace: seconds between two requests of a client.
    """

    def __init__(self, sidecar: Sidecar, origin: Origin, *, pace: float = 0.0) -> None:
        self.answered: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._sidecar = sidecar
        self._origin = origin
        self._pace = pace
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self) -> None:
        while not self._stop.wait(self._pace):
            answer = get(self._sidecar, self._origin)
            if answer.status != 200 or answer.certificate is None:
                self.problems.append(answer.raw.decode("latin-1"))
            else:
                self.answered.append(answer.certificate)

    def wait(self, more: int) -> None:
        wanted = len(self.answered) + more
        until(lambda: len(self.answered) >= wanted or self.problems, timeout=30)


def journal_lines(folder: Path) -> list[bytes]:
    files = [path for path in folder.glob("journal.jsonl*") if not path.name.endswith((".lock", ".checkpoint"))]
    return [line for path in files for line in path.read_bytes().splitlines()]


def assert_nothing_lost(folder: Path, load: Load, files: int) -> None:
    assert load.problems == []
    lines = journal_lines(folder)
    recorded = [record["certificate_id"] for record in map(json.loads, lines)]
    assert len(set(recorded)) == len(recorded)
    assert {certificate["certificate_id"] for certificate in load.answered} <= set(recorded)
    status, said = verify(folder)
    assert status == 0, said
    assert f"and {files - 1} before it: {len(lines)} records verify" in said


@pytest.mark.parametrize("hangup", [True, False], ids=["SIGHUP", "no signal"])
def test_renamed_under_load(tmp_path: Path, hangup: bool) -> None:
    """Renamed five times while requests come in, with and without a signal: no record is lost, none is there twice."""
    with Origin() as origin, Sidecar(tmp_path) as sidecar:
        with Load(sidecar, origin) as load:
            for number in range(5):
                load.wait(8)
                sidecar.journal.rename(tmp_path / f"journal.jsonl.{number}")
                if hangup:
                    sidecar.process.send_signal(signal.SIGHUP)
                until(sidecar.journal.exists)
            load.wait(8)
        assert sidecar.stop() == 0
    assert_nothing_lost(tmp_path, load, 6)


def test_rotated_by_logrotate(tmp_path: Path) -> None:
    """A stock logrotate rule, with its own new file and compression of the older ones, is all that is needed."""
    program = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin:/sbin")
    if program is None:
        pytest.skip("logrotate is not installed")
    with Origin() as origin, Sidecar(tmp_path) as sidecar:
        rule = tmp_path / "rule"
        rule.write_text(
            f"{sidecar.journal} {{\n  rotate 100\n  create 0600\n  compress\n  delaycompress\n"
            f"  postrotate\n    kill -HUP {sidecar.process.pid}\n  endscript\n}}\n"
        )
        rule.chmod(0o644)
        tmp_path.chmod(0o755)  # logrotate refuses a directory that others may write to
        with Load(sidecar, origin) as load:
            for _ in range(3):
                load.wait(8)
                command = [program, "--force", "--state", str(tmp_path / "state"), str(rule)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
                until(lambda: sidecar.journal.exists() and sidecar.journal.stat().st_size)
            load.wait(8)
        assert sidecar.stop() == 0
    assert len(list(tmp_path.glob("journal.jsonl.*.gz"))) == 2
    assert load.problems == []
    status, said = verify(tmp_path)
    assert status == 0, said
    assert "and 3 before it" in said


def test_rotated_by_size(tmp_path: Path) -> None:
    """EVE_PROXY_AUDIT_ROTATE_BYTES under load; after a kill -9 the next session goes on with the chain."""
    with Origin() as origin, Sidecar(tmp_path, EVE_PROXY_AUDIT_ROTATE_BYTES=str(1 << 20)) as sidecar:
        with Load(sidecar, origin) as load:
            load.wait(10)
            sidecar.journal.rename(tmp_path / "journal.jsonl.1")
            load.wait(10)
        sidecar.kill()
        sidecar.journal.rename(tmp_path / "journal.jsonl.2")
        with Sidecar(tmp_path) as again:
            assert get(again, origin).status == 200
            assert again.stop() == 0
    assert_nothing_lost(tmp_path, load, 3)


def test_a_tunnel_s_certificate_can_be_fetched(tmp_path: Path) -> None:
    """Whoever threw the CONNECT's header away finds the certificate among the last, then by its id, also later."""
    with Origin() as origin, Sidecar(tmp_path) as sidecar:
        certificate = connect(sidecar, origin).certificate
        assert certificate is not None
        last = [json.loads(line) for line in fetch(sidecar, "/certificates?last=20").body.splitlines()]
        assert certificate in last
        one = fetch(sidecar, f"/certificates/{certificate['certificate_id']}")
        assert (one.status, one.fields["content-type"]) == (200, "application/json")
        assert json.loads(one.body) == certificate
        assert one.body in journal_lines(tmp_path)
        sidecar.journal.rename(tmp_path / "journal.jsonl.1")
        assert connect(sidecar, origin).status == 200
        assert fetch(sidecar, f"/certificates/{certificate['certificate_id']}").body == one.body
        assert sidecar.stop() == 0
        with Sidecar(tmp_path) as again:
            assert fetch(again, f"/certificates/{certificate['certificate_id']}").body == one.body
            assert fetch(again, "/certificates/cert_0000000000000000").status == 404
            strange = ask(again, b"GET /certificates?last=5 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert strange.status == 403


def test_a_client_that_may_not_use_the_proxy_reads_nothing(tmp_path: Path) -> None:
    """EVE_PROXY_ALLOWED_CLIENTS guards the certificates as it guards everything but health."""
    with Sidecar(tmp_path, EVE_PROXY_ALLOWED_CLIENTS="192.0.2.0/24") as sidecar:
        assert fetch(sidecar, "/healthz").status == 200
        refused = fetch(sidecar, "/certificates?last=5")
        assert refused.status == 403
        assert b"cert_" not in refused.body
    assert os.path.exists(sidecar.journal)
