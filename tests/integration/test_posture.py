"""``POST /posture`` on a real daemon: signed, journalled, bounded, and good for every tool that reads journals."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.client import TAMPERED, UNPROVEN, WHOLE, Answer, ask, ready, verify
from tests.integration.sidecar import ROOT, SECRET, Sidecar, until

REPORT = {
    "schema": "eve.posture/1",
    "at": "2026-04-16T14:22:03.847Z",
    "results": {"healthz": "ok", "tcp-80-v4": "fail"},
}
BODY = json.dumps(REPORT).encode()


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    with Sidecar(tmp_path) as running:
        yield running


def report(sidecar: Sidecar, body: bytes = BODY, *fields: str, framing: str | None = None) -> Answer:
    lines = ["POST /posture HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Connection: close"]
    lines += [*fields, framing or f"Content-Length: {len(body)}", "", ""]
    return ask(sidecar, "\r\n".join(lines).encode() + body)


def eve_proxy(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from eve_proxy.cli import main; sys.exit(main())"
    environ = {**os.environ, "JWT_SECRET_KEY": SECRET, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environ, capture_output=True, text=True, check=False
    )


def records(sidecar: Sidecar) -> list[dict[str, Any]]:
    return [record for record in sidecar.records() if record["kind"] == "posture"]


def test_every_reader_of_journals_takes_it(sidecar: Sidecar, tmp_path: Path) -> None:
    """The answer is the journal's line; verify, export and prove know the kind; a changed result is found."""
    answer = report(sidecar)
    assert answer.status == 201
    certificate = json.loads(answer.body)
    assert records(sidecar) == [certificate]
    found = ask(sidecar, f"GET {answer.fields['location']} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert found.body == answer.body
    assert verify(sidecar.journal)[0] == UNPROVEN
    assert sidecar.stop() == 0
    assert verify(sidecar.journal)[0] == WHOLE
    events = [
        json.loads(line) for line in eve_proxy("export", "--format", "ocsf", str(sidecar.journal)).stdout.splitlines()
    ]
    (event,) = [each for each in events if each["metadata"]["event_code"] == "posture"]
    assert (event["class_uid"], event["unmapped"]["record"]["results"]) == (6002, REPORT["results"])
    proven = eve_proxy("prove", "inclusion", "--certificate", certificate["certificate_id"], str(sidecar.journal))
    assert proven.returncode == 0, proven.stderr
    sidecar.journal.write_bytes(sidecar.journal.read_bytes().replace(b'"tcp-80-v4":"fail"', b'"tcp-80-v4":"okay"'))
    assert verify(sidecar.journal)[0] == TAMPERED


@pytest.mark.parametrize("framing", ["Content-Length: 99999999", "Transfer-Encoding: chunked"])
def test_a_large_report_is_refused_before_it_is_there(sidecar: Sidecar, framing: str) -> None:
    """413 at once, also for a body whose size nobody announced, and the proxy serves on."""
    body = b"4001\r\n" + b"x" * 0x4001 if "chunked" in framing else b""
    assert report(sidecar, body, framing=framing).status == 413
    assert report(sidecar).status == 201
    assert len(records(sidecar)) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"POST /posture HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /posture HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /posture HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_nothing_is_smuggled_in(sidecar: Sidecar, data: bytes) -> None:
    """As strict as for what is forwarded: 400, one answer, no record."""
    answer = ask(sidecar, data + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.raw.count(b"HTTP/1.1 ") == 1
    assert answer.status == 400
    assert records(sidecar) == []


def test_a_stranger(tmp_path: Path) -> None:
    """403, certified as a refusal, and no record of a report."""
    with Sidecar(tmp_path, EVE_PROXY_ALLOWED_CLIENTS="203.0.113.0/24") as sidecar:
        answer = report(sidecar)
        assert answer.status == 403
        assert answer.certificate is not None
        assert records(sidecar) == []


def test_a_journal_that_cannot_be_written(sidecar: Sidecar) -> None:
    """503 says that nothing was recorded; when the journal works again, so does this."""
    pid, size = sidecar.process.pid, sidecar.journal.stat().st_size
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 100, hard))
    refused = report(sidecar)
    assert (refused.status, refused.certificate) == (503, None)
    assert refused.body == b"the report was not recorded: the journal cannot be written: File too large\n"
    assert ready(sidecar).status == 503
    assert report(sidecar).status == 503
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    until(lambda: ready(sidecar).status == 200, timeout=15)
    assert report(sidecar).status == 201
    assert len(records(sidecar)) == 1
    assert sidecar.stop() == 0
    assert verify(sidecar.journal)[0] == WHOLE
