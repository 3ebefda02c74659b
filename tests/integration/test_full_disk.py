"""A journal that cannot grow: nothing is released, and it heals by itself (evidence.md, "The journal")."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.origin import Origin, raw
from tests.integration.client import WHOLE, pause, post, ready, verify
from tests.integration.sidecar import Sidecar, until

# Ends each connection with its answer, so that each request needs one of its own.
closing = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    refused = "mounting a small tmpfs needs root" if os.geteuid() else None
    if refused is None:
        command = ["mount", "-t", "tmpfs", "-o", "size=256k", "eve-proxy-test", str(folder)]
        try:
            mounted = subprocess.run(command, capture_output=True, text=True, check=False)
            refused = f"mount: {mounted.stderr.strip()}" if mounted.returncode else None
        except OSError as error:
            refused = f"mount: {error}"
    if refused is not None:
        print(refused)
        pytest.skip(refused)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused_and_not_ready(sidecar: Sidecar, origin: Origin, why: bytes) -> None:
    """503 with the five keys and no line; not ready, with the reason on one line; nothing reached the origin."""
    arrivals = origin.reached()
    answer = post(sidecar, origin)
    assert answer.status == 503
    assert answer.refusal["status"] == "FAIL_CLOSED"
    assert answer.certificate is not None
    assert answer.certificate["log"] is None
    state = ready(sidecar)
    assert state.status == 503
    assert why in state.body
    assert state.body.count(b"\n") == 1
    assert origin.reached() == arrivals


def stays_full(sidecar: Sidecar, origin: Origin) -> bool:
    """Refused, and not ready again some attempts later."""
    refused = post(sidecar, origin).status == 503
    pause(0.6)
    return refused and ready(sidecar).status == 503


def healed(sidecar: Sidecar, origin: Origin, refused: str) -> None:
    """It works again without anybody's doing, says what happened, and leaves a whole journal."""
    until(lambda: ready(sidecar).status == 200, timeout=15)
    assert post(sidecar, origin).status == 200
    assert sidecar.stop() == 0
    assert "recovered" in [record["kind"] for record in sidecar.records()]
    assert refused not in {record["certificate_id"] for record in sidecar.records()}
    exit_code, said = verify(sidecar.journal)
    assert exit_code == WHOLE, said


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    """A full file system: 503 and not ready; with room again, it heals by itself."""
    journal = small_disk / "journal.jsonl"
    with Origin(closing) as origin, Sidecar(tmp_path, EVE_PROXY_AUDIT_LOG=str(journal)) as sidecar:
        sidecar.journal = journal
        assert post(sidecar, origin).status == 200
        assert "low disk" in ready(sidecar).fields["x-eve-warning"]
        (small_disk / "spare").write_bytes(b"x" * 4096)
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        answer = until(lambda: next((a for a in [post(sidecar, origin)] if a.status != 200), None))
        # What is left of the file's last page may be enough for `recovered` and not for the next decision: then it
        # flips between ready and not until that page is full (docs/operations.md).
        until(lambda: stays_full(sidecar, origin), timeout=20)
        refused_and_not_ready(sidecar, origin, b"No space left on device")
        pause(0.6)  # attempts to recover fail in between, and leave nothing behind
        refused_and_not_ready(sidecar, origin, b"No space left on device")
        # A few kilobytes come free: enough for a line or two, and not worth being ready for.
        (small_disk / "spare").unlink()
        states = {ready(sidecar).status for _ in range(25) if pause(0.1) is None}
        assert states == {503}
        (small_disk / "filler").unlink()
        healed(sidecar, origin, answer.certificate["certificate_id"])


def test_a_journal_at_its_size_limit(tmp_path: Path) -> None:
    """The same without a mount: the kernel refuses to let the file grow, in the middle of a line."""
    with Origin(closing) as origin, Sidecar(tmp_path) as sidecar:
        assert post(sidecar, origin).status == 200
        pid, size = sidecar.process.pid, sidecar.journal.stat().st_size
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 100, hard))
        answer = post(sidecar, origin)
        assert answer.status == 503
        refused_and_not_ready(sidecar, origin, b"File too large")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        healed(sidecar, origin, answer.certificate["certificate_id"])
        recovered = next(record for record in sidecar.records() if record["kind"] == "recovered")
        assert recovered["record"]["bytes"] == 100
