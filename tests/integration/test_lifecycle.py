"""Start, stop, start again: what an operator sees, and what the journal says of it."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.fakes.origin import Arrival, Origin, echo, read_request
from tests.integration.client import (
    WHOLE,
    ask,
    connect,
    connect_head,
    get,
    get_head,
    pause,
    post,
    read_head,
    ready,
    verify,
)
from tests.integration.sidecar import SECRET, Sidecar, head_of, read_all, until


class Slow:
    """An origin that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.release = threading.Event()

    def __call__(self, connection: socket.socket, arrival: Arrival) -> None:
        if read_request(connection, arrival) is not None:
            self.asked.set()
            self.release.wait(20)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")


def refuses(port: int) -> bool:
    """Nobody listens there any more."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def failed_start(sidecar: Sidecar) -> str:
    """The daemon gave up with an exit code that says so and without a traceback; its output."""
    assert sidecar.process.wait(20) not in (0, None)
    until(lambda: sidecar.finished)
    assert "Traceback" not in sidecar.output
    assert sidecar.match is None, "it listened"
    return sidecar.output


# -- stopping --------------------------------------------------------------------------------------------------


def test_sigterm_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """SIGTERM: nothing new is let go, the request under way gets its answer, the journal is closed, exit code 0."""
    slow = Slow()
    with Origin(slow) as origin, Sidecar(tmp_path) as sidecar:
        with sidecar.connect() as busy, sidecar.connect() as probe, sidecar.connect() as kept:
            busy.sendall(get_head(origin.netloc).replace(b"Connection: close\r\n", b""))
            assert slow.asked.wait(10)
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(65536).endswith(b"ok")
            probe.sendall(b"GET /readyz HTTP/1.1\r\n")
            pause(0.1)
            sidecar.process.terminate()
            assert read_all(kept) == b"", "an idle connection is closed at once"
            # A probe that had begun learns that it is over.
            probe.sendall(b"Host: x\r\n\r\n")
            status, fields, body = head_of(read_all(probe))
            assert (status, body, fields["connection"]) == (503, b"shutting down\n", "close")
            # A new one, as a kubelet's is, gets the same, and the process is alive; everybody else is refused.
            assert (ready(sidecar).status, ready(sidecar).body) == (503, b"shutting down\n")
            alive = ask(sidecar, b"GET /healthz HTTP/1.1\r\nHost: proxy\r\n\r\n")
            assert (alive.status, alive.body, alive.fields["connection"]) == (200, b"ok", "close")
            for answer in (post(sidecar, origin), connect(sidecar, origin)):
                assert (answer.status, answer.fields["connection"], answer.fields["retry-after"]) == (503, "close", "1")
                assert answer.certificate is not None
                assert (answer.certificate["verdict"], answer.certificate["matched_vector"]) == ("block", "draining")
            assert len(origin.arrivals) == 1
            pause(0.3)
            assert sidecar.process.poll() is None
            sidecar.process.terminate()  # once more makes no difference
            pause(0.2)
            slow.release.set()
            status, fields, body = head_of(read_all(busy))
            assert (status, body) == (200, b"slow")
        assert sidecar.process.wait(10) == 0
        until(lambda: sidecar.finished)
    assert "Traceback" not in sidecar.output
    assert [record["matched_vector"] for record in sidecar.decisions()] == [None, "draining", "draining"]
    assert sidecar.records()[-1]["kind"] == "session_close"
    assert verify(sidecar.journal)[0] == WHOLE


def test_sigterm_with_nothing_in_flight(tmp_path: Path) -> None:
    """A stop takes no longer than it must: idle connections, and half a request, are not waited for."""
    with Sidecar(tmp_path) as sidecar, sidecar.connect() as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65536).endswith(b"ok")
        assert sidecar.stop(timeout=4) == 0
        assert refuses(sidecar.port)
    assert verify(sidecar.journal)[0] == WHOLE


def test_sigterm_while_a_body_arrives(tmp_path: Path) -> None:
    """A request whose body is still arriving when SIGTERM comes is decided and answered."""
    with Origin() as origin, Sidecar(tmp_path) as sidecar:
        with sidecar.connect() as client:
            client.sendall(f"POST {origin.url}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab".encode())
            pause(0.2)
            sidecar.process.terminate()
            # A probe that connects in the very moment of the signal is closed without an answer.
            until(lambda: sidecar.ask(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"shutting down\n"))
            client.sendall(b"cd")
            status, fields, _ = head_of(read_all(client))
            assert (status, fields["connection"]) == (200, "close")
        assert sidecar.process.wait(10) == 0
    assert verify(sidecar.journal)[0] == WHOLE


@pytest.mark.slow
def test_sigterm_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A tunnel that never ends is reset after the grace period, before Kubernetes would kill."""
    with Origin(echo) as origin, Sidecar(tmp_path) as sidecar, sidecar.connect(timeout=30) as client:
        client.sendall(connect_head(origin.netloc))
        assert read_head(client).startswith(b"HTTP/1.1 200 ")
        assert sidecar.stop(timeout=25) == 0
        assert "did not finish in time" in sidecar.output
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert verify(sidecar.journal)[0] == WHOLE


# -- starting --------------------------------------------------------------------------------------------------


def test_the_journal_goes_on_over_a_restart(tmp_path: Path) -> None:
    """Two sessions are one chain."""
    with Origin() as origin:
        for _ in range(2):
            with Sidecar(tmp_path) as sidecar:
                assert post(sidecar, origin).status == 200
                assert sidecar.stop() == 0
    records = sidecar.records()
    assert [record["kind"] for record in records] == [
        *("session_open", "decision", "outcome", "session_close"),
        *("session_open", "decision", "outcome", "session_close"),
    ]
    assert [record["log"]["seq"] for record in records] == list(range(8))
    assert len({record["log"]["id"] for record in records}) == 1
    assert records[3]["log"]["prev"] == records[2]["content_hash"]
    assert verify(sidecar.journal)[0] == WHOLE


def test_one_journal_has_one_writer(tmp_path: Path) -> None:
    """A second daemon on the same journal does not start, and names the one that has it."""
    with Sidecar(tmp_path) as first:
        said = failed_start(Sidecar(tmp_path, ready=False))
        assert f"process {first.process.pid}" in said
        assert "EVE_PROXY_AUDIT_LOG" in said
        assert ready(first).status == 200
    assert verify(first.journal)[0] == WHOLE


def test_two_daemons_in_one_folder(tmp_path: Path) -> None:
    """With a port and a journal each, the shipped command runs twice in one folder: no pid file stands between."""
    with Sidecar(tmp_path) as first:
        with Sidecar(tmp_path, EVE_PROXY_AUDIT_LOG=str(tmp_path / "second.jsonl")) as second:
            assert (ready(first).status, ready(second).status) == (200, 200)
            assert first.port != second.port
        assert ready(first).status == 200
    assert not list(tmp_path.glob("*.pid"))


def test_a_damaged_journal_makes_room(tmp_path: Path) -> None:
    """A complete line that was changed: the file is kept aside, and the new journal's first record carries its hash."""
    with Sidecar(tmp_path) as sidecar:
        get(sidecar, "10.0.0.1")
        sidecar.stop()
    damaged = sidecar.journal.read_bytes().replace(b"session_close", b"session_clove")
    sidecar.journal.write_bytes(damaged)
    with Sidecar(tmp_path) as sidecar:
        assert sidecar.stop() == 0
        assert "damaged" in sidecar.output
    aside = [path for path in tmp_path.iterdir() if ".damaged-" in path.name]
    assert [path.read_bytes() for path in aside] == [damaged]
    assert sidecar.records()[0]["record"]["damaged_file"] == aside[0].name
    assert verify(sidecar.journal)[0] == WHOLE
    assert verify(aside[0])[0] == 1


def test_a_port_in_use(tmp_path: Path) -> None:
    """The message says which port and what to do; the journal is not left open."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = failed_start(Sidecar(tmp_path, ready=False, EVE_PROXY_PORT=str(port)))
    assert f"127.0.0.1:{port} cannot be listened on" in said
    assert "EVE_PROXY_PORT" in said
    # Whatever it had begun, the next start goes on with it.
    with Sidecar(tmp_path) as sidecar:
        assert sidecar.stop() == 0
    assert verify(sidecar.journal)[0] == WHOLE


def test_all_faults_of_the_configuration_at_once(tmp_path: Path) -> None:
    """Every fault is named in one go; nothing listens and no journal is begun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "EVE_PROXY_PORT": str(port),
        "EVE_PROXY_ENFORCE_TIMEOUT": "soon",
        "EVE_PROXY_ORG_ID": "",
        "EVE_PROXY_FAIL_CLOSE": "0",
        "EVE_PROXY_BLOCKED_HOSTS": "ok.example,not a host",
        "EVE_PROXY_PREFILTERS": "nowhere_to_be_found",
        "EVE_PROXY_GOVERNANCE_URL": "http://governor.example",
        "JWT_SECRET_KEY": None,
    }
    said = failed_start(Sidecar(tmp_path, ready=False, **settings))
    for name in settings:
        if name not in ("EVE_PROXY_PORT", "EVE_PROXY_PREFILTERS"):
            assert name in said
    assert refuses(port)
    assert not (tmp_path / "journal.jsonl").exists()


def test_a_plugin_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    """A configured pre-filter that cannot be found is a fault, not a filter less."""
    said = failed_start(Sidecar(tmp_path, ready=False, EVE_PROXY_PREFILTERS="nowhere_to_be_found"))
    assert "nowhere_to_be_found" in said


def test_a_journal_that_cannot_be_made(tmp_path: Path) -> None:
    """Where no journal can be, nothing is served."""
    (tmp_path / "file").touch()
    said = failed_start(Sidecar(tmp_path, ready=False, EVE_PROXY_AUDIT_LOG=str(tmp_path / "file" / "journal.jsonl")))
    assert "journal" in said


# -- what is never said ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fail_closed", ["1", "0"])
def test_no_secret_in_any_output(tmp_path: Path, fail_closed: str) -> None:
    """Neither our secrets nor a client's appear in what the daemon prints or records, whatever goes wrong."""
    token, credential, content = "token-of-the-governor", "credential-of-the-client", "content-of-the-body"
    settings = {
        "EVE_PROXY_GOVERNANCE_URL": "http://127.0.0.1:1",
        "EVE_PROXY_GOVERNANCE_TOKEN": token,
        "EVE_PROXY_FAIL_CLOSED": fail_closed,
    }
    with Origin() as origin, Sidecar(tmp_path, **settings) as sidecar:
        path, field = f"/{credential}?key={credential}", f"Authorization: Bearer {credential}"
        destinations = (origin.netloc, "10.0.0.1", "127.0.0.1:1")
        answers = [post(sidecar, netloc, content.encode(), path, field) for netloc in destinations]
        malformed = sidecar.ask(f"GET http://user:{credential}@h/ HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert malformed.startswith(b"HTTP/1.1 400 ")
        assert sidecar.stop() == 0
        until(lambda: sidecar.finished)
    everything = sidecar.output.encode() + sidecar.journal.read_bytes() + malformed
    everything += b"".join(answer.raw for answer in answers)
    for secret in (SECRET, token, credential, content):
        assert secret.encode() not in everything
    bad = {"JWT_SECRET_KEY": None, "JWT_SECRET_KEY_FILE": str(tmp_path / "pem"), "EVE_PROXY_GOVERNANCE_TOKEN": token}
    (tmp_path / "pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{credential}\n-----END PRIVATE KEY-----\n")
    os.chmod(tmp_path / "pem", 0o600)
    said = failed_start(Sidecar(tmp_path, ready=False, EVE_PROXY_MAX_BODY="x", **bad))
    assert "JWT_SECRET_KEY_FILE" in said
    assert token not in said
    assert credential not in said
