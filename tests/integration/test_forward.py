"""Plain HTTP through a real daemon, with real clients."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fakes.origin import Arrival, Origin, echo, raw, read_request, respond
from tests.integration.sidecar import SECRET, Sidecar, head_of, read_all, until

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(tmp_path_factory.mktemp("sidecar"), EVE_PROXY_BLOCKED_HOSTS="blocked.example") as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def curl(sidecar: Sidecar, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    environ = {**os.environ, "http_proxy": sidecar.url, "https_proxy": sidecar.url, "no_proxy": ""}
    command = ["curl", "-sS", "--max-time", "15", *arguments]
    return subprocess.run(command, env=environ, input=stdin, capture_output=True, check=False)


def verified(certificate: dict, sidecar: Sidecar) -> bool:
    """Checked by the guide's function in a process of its own, with the key from the environment."""
    program = (
        "import json, sys; from eve_proxy.fail_closed import verify_certificate as v; print(v(json.load(sys.stdin)))"
    )
    environ = {**os.environ, "JWT_SECRET_KEY": SECRET, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    result = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(certificate).encode(),
        env=environ,
        capture_output=True,
        check=True,
    )
    return result.stdout.strip() == b"True"


@needs_curl
def test_curl_gets_the_origin_and_a_certificate(sidecar: Sidecar, origin: Origin) -> None:
    """The product's main job: curl through the proxy, with a verified certificate in header and journal."""
    result = curl(sidecar, "-i", f"{origin.url}/hello?x=1", "-d", '{"prompt": "hello"}')
    status, fields, body = head_of(result.stdout)
    assert (status, body) == (200, b"hello from the origin\n"), result.stderr
    certificate = json.loads(fields["x-eve-decision-cert"])
    assert certificate["verdict"] == "allow"
    assert certificate["org_id"] == "integration"
    assert certificate in sidecar.decisions()
    assert verified(certificate, sidecar)
    assert b"POST /hello?x=1 HTTP/1.1\r\nHost: " + origin.netloc.encode() in origin.received
    assert b"proxy-connection" not in origin.received.lower()
    assert origin.received.endswith(b'{"prompt": "hello"}')


@needs_curl
def test_curl_sees_the_veto(sidecar: Sidecar) -> None:
    """A blocked host is a 451 that says what blocked it, and the connection is closed."""
    result = curl(sidecar, "-i", "http://x.Blocked.Example./")
    status, fields, body = head_of(result.stdout)
    assert status == 451
    assert fields["x-eve-verdict"] == "BLOCK"
    assert json.loads(body)["vector"] == "blocklist"
    assert verified(json.loads(fields["x-eve-decision-cert"]), sidecar)


@needs_curl
def test_curl_post_with_expect(sidecar: Sidecar, origin: Origin, tmp_path: Path) -> None:
    """curl's Expect: 100-continue for a larger body works."""
    body = tmp_path / "body"
    body.write_bytes(os.urandom(2_000_000))
    result = curl(sidecar, "-i", "-H", "Expect: 100-continue", "--data-binary", f"@{body}", f"{origin.url}/upload")
    assert b"HTTP/1.1 100" in result.stdout
    assert b"HTTP/1.1 200" in result.stdout
    assert origin.received.endswith(body.read_bytes()[-1000:])


@needs_curl
def test_curl_chunked_upload(sidecar: Sidecar, origin: Origin) -> None:
    """A chunked request is judged whole and sent on with a length."""
    result = curl(sidecar, "-i", "-H", "Transfer-Encoding: chunked", "-d", "x" * 5000, f"{origin.url}/chunked")
    assert head_of(result.stdout)[0] == 200, result.stdout
    assert b"Content-Length: 5000" in origin.received
    assert b"chunked" not in origin.received.split(b"\r\n\r\n")[0].replace(b"/chunked", b"")


def test_requests_session_keeps_its_connection(sidecar: Sidecar, origin: Origin) -> None:
    """`requests` with a session: many requests, one connection to the proxy, one to the origin, many certificates."""
    with requests.Session() as session:
        session.proxies = {"http": sidecar.url}
        session.trust_env = False
        seen = {session.get(f"{origin.url}/{number}").headers["X-EVE-Decision-Cert"] for number in range(20)}
    assert len(seen) == 20
    assert len(origin.arrivals) == 1


def test_body_over_the_limit(tmp_path: Path, origin: Origin) -> None:
    """413 with the guide's text, for a declared and for a chunked body; not a byte reaches the origin."""
    with Sidecar(tmp_path, EVE_PROXY_MAX_BODY="1000", EVE_PROXY_MAX_BUFFERED="100000") as sidecar:
        head = f"POST {origin.url}/ HTTP/1.1\r\nHost: {origin.netloc}\r\n".encode()
        declared = sidecar.ask(head + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)
        chunked = sidecar.ask(
            head + b"Transfer-Encoding: chunked\r\n\r\n" + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
        )
        for answer in (declared, chunked):
            status, fields, body = head_of(answer)
            assert (status, body) == (413, b"body too large for inspection")
            assert json.loads(fields["x-eve-decision-cert"])["matched_vector"] == "body_limit"
        assert origin.arrivals == []


def test_first_event_arrives_before_the_stream_ends(sidecar: Sidecar) -> None:
    """Server-sent events reach the client one by one."""
    release = threading.Event()

    def stream(connection: socket.socket, arrival: Arrival) -> None:
        read_request(connection, arrival)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"9\r\ndata: 1\n\n\r\n")
        release.wait(10)
        connection.sendall(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    with Origin(stream) as origin, sidecar.connect() as client:
        client.sendall(f"GET {origin.url}/ HTTP/1.1\r\nHost: {origin.netloc}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while b"data: 1\n\n" not in data:
            data += client.recv(65536)
        assert b"data: 2" not in data
        release.set()
        assert read_all(client).endswith(b"data: 2\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tunnel_carries_bytes_both_ways(sidecar: Sidecar, host: str) -> None:
    """CONNECT, IPv4 and IPv6: the 200 has the certificate; what follows is relayed and half-closed as it is."""
    with Origin(echo, host=host) as origin, sidecar.connect() as client:
        client.sendall(f"CONNECT {origin.netloc} HTTP/1.1\r\nHost: {origin.netloc}\r\n\r\nearly ".encode())
        data = b""
        while not data.endswith(b"early "):
            data += client.recv(65536)
        status, fields, _ = head_of(data)
        assert status == 200
        certificate = json.loads(fields["x-eve-decision-cert"])
        assert certificate["coverage"] == "destination"
        assert certificate in sidecar.decisions()
        payload = os.urandom(3_000_000)
        sender = threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_all(client) == payload
        sender.join()


def test_requests_connects_with_http_1_0(sidecar: Sidecar) -> None:
    """A client that sends `CONNECT ... HTTP/1.0` without Host, as Python 3.11's http.client does, gets its tunnel."""
    with Origin(echo) as origin, sidecar.connect() as client:
        client.sendall(f"CONNECT {origin.netloc} HTTP/1.0\r\n\r\n".encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"ping")
        assert client.recv(65536) == b"ping"


def test_websocket(sidecar: Sidecar) -> None:
    """An upgrade is decided as a handshake and then relayed."""
    accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    def upgrade(connection: socket.socket, arrival: Arrival) -> None:
        request = read_request(connection, arrival)
        assert request is not None
        assert b"upgrade: websocket" in request.lower()
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x81\x02hi"
        )
        echo(connection, arrival)

    with Origin(upgrade) as origin, sidecar.connect() as client:
        client.sendall(
            f"GET {origin.url}/ws HTTP/1.1\r\nHost: {origin.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        data = b""
        while not data.endswith(b"\x81\x02hi"):
            data += client.recv(65536)
        status, fields, _ = head_of(data)
        assert status == 101
        assert json.loads(fields["x-eve-decision-cert"])["coverage"] == "handshake"
        client.sendall(b"frame")
        assert client.recv(65536) == b"frame"


def test_upstream_errors_are_502(sidecar: Sidecar) -> None:
    """Refused, broken off and not HTTP: the client reads why, with the certificate of the allow."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: refused
        origins = [
            f"127.0.0.1:{reserved.getsockname()[1]}",
            Origin(raw(b"")).netloc,
            Origin(raw(b"SSH-2.0-OpenSSH_9\r\n\r\n")).netloc,
            Origin(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx")).netloc,
        ]
        for netloc in origins:
            answer = sidecar.ask(f"GET http://{netloc}/ HTTP/1.1\r\nHost: {netloc}\r\n\r\n".encode())
            status, fields, body = head_of(answer)
            assert status == 502
            assert body.startswith(b"upstream error: ")
            assert json.loads(fields["x-eve-decision-cert"])["verdict"] == "allow"


def test_response_cut_short_does_not_look_complete(sidecar: Sidecar) -> None:
    """A client can tell that the origin broke off."""
    cut_short = pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError))
    with Origin(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")) as origin, cut_short:
        requests.get(f"{origin.url}/", proxies={"http": sidecar.url}, timeout=10)


def test_nobody_else_speaks_in_our_name(sidecar: Sidecar) -> None:
    """X-EVE-* of a client or an upstream is stripped."""
    forged = respond(b"x", fields=("X-EVE-Decision-Cert: forged", "X-EVE-Verdict: ALLOW"))
    with Origin(forged) as origin:
        fields = f"Host: {origin.netloc}\r\nX-EVE-Verdict: ALLOW\r\nConnection: close"
        answer = sidecar.ask(f"GET {origin.url}/ HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        assert answer.count(b"X-EVE-Decision-Cert") == 1
        assert b"forged" not in answer
        assert b"x-eve-verdict" not in origin.received.lower()


def test_pipelined_requests_and_a_blocked_one(sidecar: Sidecar, origin: Origin) -> None:
    """Three in one segment, the second blocked: the third is never looked at."""
    get = f"GET {origin.url}/%d HTTP/1.1\r\nHost: {origin.netloc}\r\n\r\n"
    blocked = "GET http://blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\n\r\n"
    answer = sidecar.ask((get % 1 + blocked + get % 3).encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 451 " in answer
    assert origin.received.count(b"GET /") == 1


def test_every_decision_has_its_line(sidecar: Sidecar, origin: Origin) -> None:
    """The canonical log line of a request is printed, with its request id."""
    fields = f"Host: {origin.netloc}\r\nX-Request-Id: find-me\r\nConnection: close"
    sidecar.ask(f"GET {origin.url}/ HTTP/1.1\r\n{fields}\r\n\r\n".encode())
    line = until(lambda: [line for line in sidecar.decision_lines() if line["request_id"] == "find-me"])[0]
    assert (line["status"], line["verdict"], line["route"]) == (200, "allow", "forward")


def test_health(sidecar: Sidecar) -> None:
    """/healthz and /readyz answer 200 `ok`."""
    for path in ("healthz", "readyz"):
        answer = requests.get(f"{sidecar.url}/{path}", timeout=10)
        assert (answer.status_code, answer.text) == (200, "ok")
