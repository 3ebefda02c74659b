"""Record before release (law 2), as the kernel sees it: the daemon under strace."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.fakes.origin import Origin, raw
from tests.integration.client import connect, get
from tests.integration.sidecar import Sidecar, until
from tests.integration.strace_log import Call, calls

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


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
            # Outcomes share its commits, and have no verdict.
            line = r'\{\\"certificate_id\\":\\"(cert_[0-9a-f]{16})\\",\\"verdict\\":\\"'
            identifiers = re.findall(line, call.arguments)
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
    # An origin for each request: its port says in the trace which one a connection belongs to.
    origins = [Origin(raw(RESPONSE)) for _ in range(24)]
    ways = {origin.port: (get, connect)[number % 2] for number, origin in enumerate(origins)}
    certificates: dict[int, str] = {}
    with Sidecar(tmp_path, prefix=prefix) as sidecar:

        def some(first: int) -> None:
            for origin in origins[first::4]:
                answer = ways[origin.port](sidecar, origin)
                assert answer.certificate is not None
                certificates[origin.port] = answer.certificate["certificate_id"]

        threads = [threading.Thread(target=some, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sidecar.stop() == 0
    until(lambda: "+++ exited with 0 +++" in log.read_text(errors="replace").splitlines()[-1])
    assert set(certificates) == set(ways)

    trace = calls(log)
    durable = durable_at(trace)
    assert set(durable) == set(certificates.values())
    connected, requested, answered = set(), set(), set()
    for call in trace:
        if call.name == "connect" and (port := re.search(r"htons\((\d+)\)", call.arguments)):
            assert call.begun > durable[certificates[int(port[1])]]
            connected.add(int(port[1]))
        elif call.name in ("sendto", "sendmsg", "write", "writev"):
            if request := re.search(r"\"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:(\d+)", call.arguments):
                assert call.begun > durable[certificates[int(request[1])]]
                requested.add(int(request[1]))
            elif response := re.search(r"X-EVE-Decision-Cert: {\\\"certificate_id\\\":\\\"(\w+)", call.arguments):
                assert call.begun > durable[response[1]]
                answered.add(response[1])
    assert connected == set(ways)
    assert requested == {port for port, way in ways.items() if way is get}
    assert answered == set(certificates.values())
