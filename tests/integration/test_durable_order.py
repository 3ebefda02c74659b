"""Record before release (law 2), as the kernel sees it: the daemon under strace."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.fakes.origin import Origin, raw
from tests.integration.client import Answer, get
from tests.integration.sidecar import Sidecar, until
from tests.integration.strace_log import Call, calls

# Ends each connection with its answer, so that each request needs one of its own.
closing = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def strace_refuses(folder: Path) -> str | None:
    """Why tracing is not possible here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = ["strace", "-D", "-f", "-o", str(folder / "probe"), "-e", "trace=write", "true"]
    probe = subprocess.run(command, capture_output=True, text=True, check=False)
    log = folder / "probe"
    if probe.returncode or not log.exists():
        return f"strace is not permitted: {probe.stderr.strip()}"
    return None


def durable_at(trace: list[Call]) -> dict[str, int]:
    """For each certificate, where in the trace the fdatasync that followed its line returned."""
    durable: dict[str, int] = {}
    written: list[tuple[str, int]] = []
    for call in trace:
        if call.name == "write" and '\\"kind\\":\\"decision\\"' in call.arguments and "content_hash" in call.arguments:
            assert call.ended is not None
            identifiers = re.findall(r'\{\\"certificate_id\\":\\"(cert_[0-9a-f]{16})\\"', call.arguments)
            written += [(identifier, call.ended) for identifier in identifiers]
        elif call.name == "fdatasync" and call.result == 0 and call.ended is not None:
            for identifier, ended in written:
                assert ended < call.begun
                durable[identifier] = call.ended
            written = []
    return durable


def test_traced_fdatasync_returns_before_each_connect_and_each_response(tmp_path: Path) -> None:
    """The kernel's own view: the line is on the disk before the upstream connect, the request and the response."""
    refused = strace_refuses(tmp_path)
    if refused is not None:
        print(refused)
        pytest.skip(refused)
    log = tmp_path / "trace"
    traced = "trace=connect,fdatasync,sendto,sendmsg,write,writev"
    prefix = ("strace", "-D", "-f", "-o", str(log), "-s", "20000", "-e", traced, "-e", "signal=none")
    count, parallel = 20, 4
    asked: dict[str, Answer] = {}
    with Origin(closing) as origin:
        with Sidecar(tmp_path, prefix=prefix) as sidecar:

            def some(first: int) -> None:
                for number in range(first, count, parallel):
                    path = f"/number-{number}-"
                    asked[path] = get(sidecar, origin, path)

            threads = [threading.Thread(target=some, args=(first,)) for first in range(parallel)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert sidecar.stop() == 0
        until(lambda: "+++ exited with 0 +++" in log.read_text(errors="replace").splitlines()[-1])
    trace = calls(log)
    durable = durable_at(trace)
    certificates = {path: answer.certificate["certificate_id"] for path, answer in asked.items() if answer.certificate}
    assert len(certificates) == count
    assert set(durable) == set(certificates.values())

    checked = {"connect": 0, "request": 0, "response": 0}
    connects: dict[int, Call] = {}
    for call in trace:
        if call.name == "connect" and f"htons({origin.port})" in call.arguments:
            connects.setdefault(call.fd, call)  # connect is called again to learn how it went
        elif call.name in ("sendto", "sendmsg", "write", "writev"):
            if request := re.search(r"\"GET (/number-\d+-) HTTP/1.1", call.arguments):
                returned = durable[certificates[request[1]]]
                assert connects.pop(call.fd).begun > returned
                assert call.begun > returned
                checked["connect"] += 1
                checked["request"] += 1
            elif response := re.search(r"X-EVE-Decision-Cert: {\\\"certificate_id\\\":\\\"(\w+)", call.arguments):
                assert call.begun > durable[response[1]]
                checked["response"] += 1
    assert checked == {"connect": count, "request": count, "response": count}
    assert connects == {}, "a connection upstream that belongs to no request"
