"""Record before release (law 2), shown on the real daemon: killed, with a disk that hangs, traced, and a full disk."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.origin import Arrival, Origin, echo, read_request
from tests.integration.client import UNPROVEN, WHOLE, Answer, ask, connect, get, get_head, pause, post, ready, verify
from tests.integration.sidecar import ROOT, Sidecar, until
from tests.integration.strace_log import Call, calls

KILLS = 20
CERTIFICATE = re.compile(rb"X-EVE-Decision-Cert: (\{.*?\})\r\n")


def closing(connection: socket.socket, arrival: Arrival) -> None:
    """An origin that ends each connection with its answer, so that each request needs one of its own."""
    if read_request(connection, arrival) is not None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


# -- kill -9 ---------------------------------------------------------------------------------------------------


class Load:
    """Clients that ask as fast as they can and keep every certificate they got, until the proxy is gone."""

    def __init__(self, sidecar: Sidecar, origin: Origin) -> None:
        self.certificates: list[bytes] = []
        requests = [
            f"POST {origin.url}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".encode(),
            get_head(origin.netloc),
            b"GET http://blocked.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(sidecar.port, request), daemon=True)
            for request in (requests[0], *requests)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _run(self, port: int, request: bytes) -> None:
        with contextlib.suppress(OSError):
            while True:
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    self._converse(connection, request)

    def _converse(self, connection: socket.socket, request: bytes) -> None:
        data = b""
        try:
            connection.sendall(request)
            while piece := connection.recv(65536):
                data += piece
                if data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"ok"):
                    self._note(data)
                    data = b""
                    connection.sendall(request)
        finally:
            self._note(data)

    def _note(self, data: bytes) -> None:
        """A certificate counts as given as soon as its whole field has arrived."""
        self.certificates += CERTIFICATE.findall(data)


def keeping(connection: socket.socket, arrival: Arrival) -> None:
    start = 0
    while (request := read_request(connection, arrival, start)) is not None:
        start += len(request)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_killed_under_load_twenty_times(tmp_path: Path) -> None:
    """kill -9 at random moments: each certificate that a client got has its line, and the journal verifies."""
    chance = random.Random()
    given: list[bytes] = []
    settings = {"EVE_PROXY_BLOCKED_HOSTS": "blocked.example"}
    with Origin(keeping) as origin:
        for _ in range(KILLS):
            sidecar = Sidecar(tmp_path, **settings)
            load = Load(sidecar, origin)
            pause(chance.uniform(0.02, 0.25))
            sidecar.kill()
            load.join()
            assert load.certificates or not given, "the load was none"
            given += load.certificates
        assert verify(sidecar.journal)[0] in (WHOLE, UNPROVEN)
        with Sidecar(tmp_path, **settings) as last:
            exit_code, said = verify(last.journal)
            assert exit_code == UNPROVEN, said
            assert last.stop() == 0
    exit_code, said = verify(last.journal)
    assert exit_code == WHOLE, said
    records = last.records()
    by_id = {record["certificate_id"]: record for record in records}
    assert len(by_id) == len(records)
    assert len(given) > 20 * KILLS
    for text in given:
        certificate = json.loads(text)
        assert by_id[certificate["certificate_id"]] == certificate
    assert [record["kind"] for record in records].count("session_open") == KILLS + 1
    assert {record["log"]["id"] for record in records} == {records[0]["log"]["id"]}, "a journal was given up"
    assert not list(tmp_path.glob("*.damaged*"))


# -- a disk that hangs -----------------------------------------------------------------------------------------


class HeldSidecar(Sidecar):
    """A sidecar whose fdatasync can be held open, and what it did on the network meanwhile."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._hold = folder / "hold"
        self._witness = folder / "witness"
        program = str(ROOT / "tests" / "integration" / "held_daemon.py")
        super().__init__(
            folder, prefix=(sys.executable, program, str(self._hold), str(self._witness)), **settings
        )  # fmt: skip

    def hold(self) -> None:
        self._hold.touch()

    def release(self) -> None:
        self._hold.unlink(missing_ok=True)

    @property
    def network(self) -> list[str]:
        """Names looked up, connections made, datagrams sent."""
        return self._witness.read_text().splitlines() if self._witness.exists() else []

    def __exit__(self, *_: object) -> None:
        self.release()
        super().__exit__()


def in_background(work: Callable[[], Answer]) -> tuple[threading.Thread, list[Answer]]:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(work()), daemon=True)
    thread.start()
    return thread, answers


def named(origin: Origin) -> str:
    """The origin by a name that has to be looked up."""
    return f"localhost:{origin.port}"


def lookup_expected(sidecar: HeldSidecar) -> bool:
    return any("getaddrinfo" in line and "localhost" in line for line in sidecar.network)


def connect_expected(sidecar: HeldSidecar, origin: Origin) -> bool:
    return any("socket.connect" in line and str(origin.port) in line for line in sidecar.network)


@pytest.mark.parametrize("method", ["POST", "CONNECT"])
def test_nothing_leaves_while_the_line_is_not_durable(tmp_path: Path, method: str) -> None:
    """While the disk hangs there is no lookup, no connection and no answer; all three follow its return."""
    work = {"POST": lambda: post(sidecar, named(origin)), "CONNECT": lambda: connect(sidecar, named(origin))}[method]
    with Origin(echo if method == "CONNECT" else closing) as origin, HeldSidecar(tmp_path) as sidecar:
        before = sidecar.network
        sidecar.hold()
        thread, answers = in_background(work)
        # The line is written, so the daemon has come as far as it may: now it can only go on if it breaks the law.
        until(lambda: any(line["kind"] == "decision" for line in sidecar.records()))
        pause(0.7)
        assert answers == []
        assert origin.arrivals == []
        assert sidecar.network == before
        sidecar.release()
        thread.join(10)
        assert answers[0].status == 200
        assert len(origin.arrivals) == 1
        # The witness is not blind: it does see what happens now.
        assert lookup_expected(sidecar)
        assert connect_expected(sidecar, origin)


def test_a_veto_is_not_answered_either_while_its_line_is_not_durable(tmp_path: Path) -> None:
    """A client never holds a block certificate that the journal might not have."""
    with HeldSidecar(tmp_path, EVE_PROXY_BLOCKED_HOSTS="blocked.example") as sidecar:
        sidecar.hold()
        thread, answers = in_background(lambda: get(sidecar, "blocked.example"))
        until(lambda: any(line["kind"] == "decision" for line in sidecar.records()))
        pause(0.3)
        assert answers == []
        sidecar.release()
        thread.join(10)
        assert answers[0].status == 451


def test_a_disk_that_hangs_too_long(tmp_path: Path) -> None:
    """After EVE_PROXY_AUDIT_TIMEOUT the client reads 503; when the line lands after all, a `void` record names it."""
    with Origin(closing) as origin, HeldSidecar(tmp_path, EVE_PROXY_AUDIT_TIMEOUT="0.5") as sidecar:
        sidecar.hold()
        answer = post(sidecar, named(origin))
        assert 0.4 < answer.seconds < 1.2
        assert answer.status == 503
        assert answer.refusal["status"] == "FAIL_CLOSED"
        assert answer.certificate is not None
        assert answer.certificate["log"] is None
        assert answer.certificate["verdict"] == "fail_closed"
        # Nobody waits for a disk that is known to hang.
        second = post(sidecar, named(origin))
        assert (second.status, second.seconds < 0.4) == (503, True)
        state = ready(sidecar)
        assert state.status == 503
        assert state.body.count(b"\n") == 1
        sidecar.release()
        voids = until(lambda: [record for record in sidecar.records() if record["kind"] == "void"])
        assert [void["parent"] for void in voids] == [answer.certificate["certificate_id"]]
        landed = [line for line in sidecar.decisions() if line["certificate_id"] == voids[0]["parent"]]
        assert [line["content_hash"] for line in landed] == [voids[0]["record"]["content_hash"]]
        until(lambda: ready(sidecar).status == 200)
        assert origin.arrivals == []
        assert not lookup_expected(sidecar)
        assert post(sidecar, origin).status == 200
        assert sidecar.stop() == 0
        assert verify(sidecar.journal)[0] == WHOLE


# -- the order of system calls ---------------------------------------------------------------------------------


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


# -- a full disk -----------------------------------------------------------------------------------------------


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
    arrivals = len(origin.arrivals)
    answer = post(sidecar, origin)
    assert answer.status == 503
    assert answer.refusal["status"] == "FAIL_CLOSED"
    assert answer.certificate is not None
    assert answer.certificate["log"] is None
    state = ready(sidecar)
    assert state.status == 503
    assert why in state.body
    assert state.body.count(b"\n") == 1
    assert len(origin.arrivals) == arrivals


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
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        answer = until(lambda: next((a for a in [post(sidecar, origin)] if a.status != 200), None))
        refused_and_not_ready(sidecar, origin, b"No space left on device")
        pause(0.6)  # attempts to recover fail in between, and leave nothing behind
        refused_and_not_ready(sidecar, origin, b"No space left on device")
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


def test_a_torn_last_line(tmp_path: Path) -> None:
    """What a crash left half-written is cut off at the next start, and a signed record says so."""
    with Sidecar(tmp_path) as sidecar:
        ask(sidecar, get_head("10.0.0.1"))
        sidecar.kill()
    torn = sidecar.journal.read_bytes()[:-40]
    sidecar.journal.write_bytes(torn)
    tail = torn[torn.rindex(b"\n") + 1 :]
    with Sidecar(tmp_path) as sidecar:
        assert sidecar.stop() == 0
    assert [record["kind"] for record in sidecar.records()] == [
        "session_open",
        "session_open",
        "recovered",
        "session_close",
    ]
    assert sidecar.records()[2]["record"]["bytes"] == len(tail)
    assert verify(sidecar.journal)[0] == WHOLE
