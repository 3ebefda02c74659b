"""The fake governor does what its modes say: every fault test rests on it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes import governor as fake
from tests.fakes.governor import FakeGovernor

PROGRAM = Path(fake.__file__)
QUESTION = {"request_id": "cert_0123456789abcdef", "proposed_action": {"body": "hello"}}


def ask(port: int, question: Any = QUESTION, *, timeout: float = 5) -> tuple[int, Any, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.request("POST", "/v1/decisions/evaluate", json.dumps(question))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, response


def status_of(body: bytes) -> str:
    return json.loads(body)["decision"]["status"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("allow", "ALLOWED"),
        ("block", "BLOCKED"),
        ("modify", "MODIFIED"),
        ("late", "ALLOWED"),
        ("slow-then-allow", "ALLOWED"),
        ("unknown-verdict", "MAYBE"),
        ("duplicate-keys", "ALLOWED"),
        ("no-request-id", "ALLOWED"),
        ("other-request", "ALLOWED"),
        ("oversize", "ALLOWED"),
        ("close-idle", "ALLOWED"),
        ("chunked", "ALLOWED"),
    ],
)
def test_answers(mode: str, expected: str) -> None:
    """Each mode that answers gives the answer it is named for."""
    with FakeGovernor(mode, delay=0.05) as governor:
        status, body, _ = ask(governor.port)
    assert (status, status_of(body)) == (200, expected)
    answer = json.loads(body)
    asked = {"no-request-id": None, "duplicate-keys": None, "other-request": "cert_ffffffffffffffff"}
    assert answer.get("request_id") == asked.get(mode, QUESTION["request_id"])
    assert (len(body) > 1024 * 1024) == (mode == "oversize")
    assert (body.count(b'"status"') == 2) == (mode == "duplicate-keys")


def test_the_pattern_blocks() -> None:
    """One running governor can allow one request and block another."""
    with FakeGovernor() as governor:
        question = {**QUESTION, "proposed_action": {"body": "please BLOCKME"}}
        assert [status_of(ask(governor.port, each)[1]) for each in (QUESTION, question)] == ["ALLOWED", "BLOCKED"]


@pytest.mark.parametrize("code", [401, 403, 429, 500])
def test_statuses_carry_an_allow_that_must_not_be_obeyed(code: int) -> None:
    """An error page that says ALLOWED is the trap it is meant to be."""
    with FakeGovernor(f"status-{code}") as governor:
        status, body, response = ask(governor.port)
    assert (status, status_of(body)) == (code, "ALLOWED")
    assert response.headers["Retry-After"] == ("7" if code == 429 else None)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("truncated", http.client.IncompleteRead),
        ("reset", ConnectionResetError),
        ("not-http", http.client.BadStatusLine),
        ("empty", http.client.RemoteDisconnected),
        ("refused", ConnectionRefusedError),
        ("hang", TimeoutError),
        ("drip", TimeoutError),
        ("garbage", UnicodeDecodeError),
    ],
)
def test_faults(mode: str, error: type[Exception]) -> None:
    """Each broken mode breaks in its own way."""
    with FakeGovernor(mode) as governor, pytest.raises(error):
        json.loads(ask(governor.port, timeout=0.3)[1])


def test_a_typo_in_a_mode_is_an_error() -> None:
    """A mistyped mode does not silently test an allowing governor."""
    with pytest.raises(ValueError, match="unknown mode"):
        FakeGovernor("alow")


def test_a_silently_closed_connection_looks_reusable() -> None:
    """close-idle says keep-alive and closes: the client only finds out when it asks again."""
    with FakeGovernor("close-idle") as governor:
        connection = http.client.HTTPConnection("127.0.0.1", governor.port, timeout=5)
        connection.request("POST", "/", json.dumps(QUESTION))
        response = connection.getresponse()
        response.read()
        assert response.headers["Connection"] is None
        assert connection.sock is not None
        assert connection.sock.recv(1) == b""


def test_connections_are_kept_and_questions_recorded() -> None:
    """A test can see what the governor was asked, in which order, and on how many connections."""
    with FakeGovernor() as governor:
        connection = http.client.HTTPConnection("127.0.0.1", governor.port, timeout=5)
        for number in range(2):
            connection.request("POST", "/v1/decisions/evaluate", json.dumps({"request_id": number}), {"X-Api-Key": "k"})
            connection.getresponse().read()
        connection.request("GET", "/_log")
        log = json.loads(connection.getresponse().read())
        connection.close()
    assert [(entry["question"]["request_id"], entry["connection"]) for entry in log] == [(0, 1), (1, 1)]
    assert ["x-api-key", "k"] in log[0]["headers"]
    assert log == json.loads(json.dumps(governor.questions()))


def test_tls_with_client_certificates(tmp_path: Path) -> None:
    """mTLS is real: without a client certificate nobody is answered."""
    ca = trustme.CA()
    server, client = ca.issue_cert("localhost"), ca.issue_cert("client@example.org")
    for name, blob in (("ca", ca.cert_pem), ("cert", server.cert_chain_pems[0]), ("key", server.private_key_pem)):
        blob.write_to_path(str(tmp_path / name))
    files = (str(tmp_path / "cert"), str(tmp_path / "key"))
    with FakeGovernor(tls=files, client_ca=str(tmp_path / "ca")) as governor:
        assert governor.url == f"https://localhost:{governor.port}"
        context = ssl.create_default_context(cafile=str(tmp_path / "ca"))
        with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
            _ask_tls(governor.port, context)
        client.configure_cert(context)
        assert status_of(_ask_tls(governor.port, context)) == "ALLOWED"


def _ask_tls(port: int, context: ssl.SSLContext) -> bytes:
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=5)
    connection.request("POST", "/", json.dumps(QUESTION))
    return connection.getresponse().read()


def test_as_a_program_on_a_port_and_switched_while_it_runs() -> None:
    """Process-level tests start it by its path alone, and change its mind without a restart."""
    with subprocess.Popen([sys.executable, "-I", str(PROGRAM), "--mode", "block"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            assert status_of(ask(port)[1]) == "BLOCKED"
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("POST", "/_mode", json.dumps({"mode": "allow"}))
            connection.getresponse().read()
            assert status_of(ask(port)[1]) == "ALLOWED"
        finally:
            process.terminate()


def test_as_a_program_on_a_unix_socket(tmp_path: Path) -> None:
    """It serves a socket path as well, and prints it."""
    path = str(tmp_path / "gov.sock")
    with subprocess.Popen([sys.executable, "-I", str(PROGRAM), "--unix", path], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().decode().strip() == path
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(path)
                connection.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
                assert b"ALLOWED" in connection.recv(4096)
        finally:
            process.terminate()
