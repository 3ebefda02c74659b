"""Record before release (law 2), shown on the real daemon: killed, with a disk that hangs, traced, and a full disk."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.origin import Arrival, Origin, echo, raw, read_request
from tests.integration.client import UNPROVEN, WHOLE, Answer, ask, connect, get, get_head, pause, post, ready, verify
from tests.integration.sidecar import ROOT, Sidecar, until

KILLS = 20
CERTIFICATE = re.compile(rb"X-EVE-Decision-Cert: (\{.*?\})\r\n")
# Ends each connection with its answer, so that each request needs one of its own.
closing = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


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
    assert len(given) > 5 * KILLS, "the load was none"
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
        assert origin.reached() == 0
        assert sidecar.network == before
        sidecar.release()
        thread.join(10)
        assert answers[0].status == 200
        assert origin.reached() == 1
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
        assert origin.reached() == 0
        assert not lookup_expected(sidecar)
        assert post(sidecar, origin).status == 200
        assert sidecar.stop() == 0
        assert verify(sidecar.journal)[0] == WHOLE


def test_stopping_while_the_disk_hangs(tmp_path: Path) -> None:
    """SIGTERM does not wait for a disk for ever; without session_close the end of the journal is not proven."""
    with Origin(closing) as origin, HeldSidecar(tmp_path, EVE_PROXY_AUDIT_TIMEOUT="0.5") as sidecar:
        assert post(sidecar, origin).status == 200
        sidecar.hold()
        sidecar.stop(timeout=8)
        until(lambda: sidecar.finished)
        assert "the journal was not closed properly" in sidecar.output
        sidecar.release()
    # Whether session_close reached the file before the process ended is up to the disk; nothing is wrong either way.
    assert verify(sidecar.journal)[0] in (WHOLE, UNPROVEN)
    with Sidecar(tmp_path) as next_one:
        assert post(next_one, "10.0.0.1").status == 451
        assert next_one.stop() == 0
    assert verify(sidecar.journal)[0] == WHOLE


def test_sync_off_shows_in_readiness(tmp_path: Path) -> None:
    """Who leaves durability to the system is told so by every probe."""
    with Sidecar(tmp_path, EVE_PROXY_AUDIT_SYNC="off") as sidecar:
        assert "sync off" in ready(sidecar).fields["x-eve-warning"]


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
