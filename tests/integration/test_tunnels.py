"""What a tunnel shows first, through a real daemon: real TLS clients and origins, and everything that is not one."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes.client_hello import client_hello
from tests.fakes.origin import Arrival, Origin, echo
from tests.integration.client import WHOLE, connect, connect_head, pause, read_head, verify
from tests.integration.commands import curl
from tests.integration.sidecar import Sidecar, head_of, read_all, until

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost", "127.0.0.1", "evil.example")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def serve_tls(connection: socket.socket, arrival: Arrival) -> None:
    """Notes what came before the handshake was over, then answers one request."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CERTIFICATE.configure_cert(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    shaken = False
    while True:
        try:
            if not shaken:
                server.do_handshake()
                shaken = True
            request = server.read(65536)
            server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            connection.sendall(outgoing.read())
            assert request
            return
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            data = connection.recv(65536)
            arrival.data += data
            if not data:
                return
            incoming.write(data)
        except ssl.SSLError:
            return


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(tmp_path_factory.mktemp("sidecar"), EVE_PROXY_CONNECT_SNI=None) as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(serve_tls) as running:
        yield running


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


def tunnel(sidecar: Sidecar, netloc: str) -> tuple[socket.socket, dict[str, Any]]:
    """An open tunnel, and the certificate of its allow."""
    connection = sidecar.connect()
    connection.sendall(connect_head(netloc))
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # no byte more: a server's greeting may follow at once
        piece = connection.recv(1)
        assert piece, f"the proxy closed after {head!r}"
        head += piece
    status, fields, _ = head_of(head)
    assert status == 200
    return connection, json.loads(fields["x-eve-decision-cert"])


def severed(sidecar: Sidecar, allow: dict[str, Any]) -> dict[str, Any]:
    """The second certificate of a tunnel."""
    found = until(lambda: [entry for entry in sidecar.decisions() if entry["parent"] == allow["certificate_id"]])
    assert len(found) == 1
    (block,) = found
    assert (block["verdict"], block["matched_pillar"], block["matched_vector"]) == ("block", "local", "sni")
    assert block["request"] == allow["request"]
    assert block["coverage"] == "destination"
    return block


def nothing_came(origin: Origin) -> None:
    """The origin was connected to, and read the end without a byte."""
    until(lambda: origin.arrivals and all(arrival.closed.is_set() for arrival in origin.arrivals))
    assert origin.received == b""


@needs_curl
def test_curl_over_tls(sidecar: Sidecar, origin: Origin, tmp_path: Path) -> None:
    """The usual case: curl names the host that it asked the proxy for, and gets its page."""
    ca = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(ca))
    for host in ("localhost", "127.0.0.1"):
        reply = curl(sidecar.url, "--cacert", str(ca), f"https://{host}:{origin.port}/")
        assert (reply.status, reply.body) == (200, b"hello"), reply.errors
        line = until(lambda host=host: [line for line in sidecar.decision_lines() if line["host"] == host])[-1]
        assert (line["status"], line["sni"]) == (200, "localhost" if host == "localhost" else None)


@needs_curl
def test_curl_that_fronts(sidecar: Sidecar, origin: Origin, tmp_path: Path) -> None:
    """curl --connect-to: a tunnel to one host, a page of another. The client's library reads an alert."""
    ca = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(ca))
    reply = curl(
        sidecar.url, "--cacert", str(ca), "--connect-to", f"::localhost:{origin.port}", "https://evil.example/"
    )
    assert reply.exit != 0
    assert "access denied" in reply.errors
    nothing_came(origin)


@needs_openssl
@pytest.mark.parametrize(
    ("authority", "name", "passes"),
    [
        ("localhost", ["-servername", "localhost"], True),
        ("LOCALHOST", ["-servername", "localhost"], True),
        ("localhost.", ["-servername", "localhost"], True),
        ("localhost", ["-servername", "LOCALHOST"], True),
        ("localhost", ["-servername", "localhost", "-tls1_2"], True),
        ("127.0.0.1", ["-noservername"], True),
        ("0x7f000001", ["-noservername"], True),
        ("localhost", ["-servername", "evil.example"], False),
        ("localhost", ["-servername", "localhost."], False),
        ("localhost", ["-noservername"], False),
        ("127.0.0.1", ["-servername", "localhost"], False),
        ("127.0.0.1", ["-servername", "127.0.0.1"], False),
    ],
)
def test_openssl(sidecar: Sidecar, origin: Origin, authority: str, name: list[str], passes: bool) -> None:
    """Every spelling of the judged host passes; every other name, and none, reads an alert that says why."""
    command = ["openssl", "s_client", "-proxy", f"127.0.0.1:{sidecar.port}", "-ign_eof", *name]
    port = origin.netloc.rpartition(":")[2]
    done = subprocess.run(
        [*command, "-connect", f"{authority}:{port}"], input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=30
    )
    assert (b"hello" in done.stdout) == passes
    assert (b"alert access denied" in done.stderr) == (not passes)
    if not passes:
        nothing_came(origin)


def test_domain_fronting(sidecar: Sidecar, origin: Origin) -> None:
    """Real TLS to another name than CONNECT said: severed, certified, and not a byte reached the front."""
    connection, allow = tunnel(sidecar, f"localhost:{origin.port}")
    with connection, pytest.raises(ssl.SSLError, match=r"(?i)access denied"):
        client_context().wrap_socket(connection, server_hostname="evil.example")
    block = severed(sidecar, allow)
    assert "evil.example" in block["reason"]
    assert block["record"]["tunnel"]["sni"] == "evil.example"
    nothing_came(origin)


def test_the_judged_name(sidecar: Sidecar, origin: Origin) -> None:
    """The same client with the right name gets through, and leaves one certificate."""
    connection, allow = tunnel(sidecar, f"localhost:{origin.port}")
    with client_context().wrap_socket(connection, server_hostname="localhost") as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert tls.recv(65536).endswith(b"hello")
    assert not [entry for entry in sidecar.decisions() if entry["parent"] == allow["certificate_id"]]


def test_a_large_hello_in_small_segments(sidecar: Sidecar, origin: Origin) -> None:
    """A post-quantum hello that arrives in pieces reaches the origin whole, and only then."""
    data = client_hello("localhost", key_share=1700)
    connection, _ = tunnel(sidecar, f"localhost:{origin.port}")
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), 300):
            assert origin.received == b""
            connection.sendall(data[start : start + 300])
            pause(0.01)
        until(lambda: origin.received == data)


NOT_AS_JUDGED = {
    "no SNI": client_hello(None),
    "ECH for another name": client_hello("front.example", ech=True),
    "ECH without a name": client_hello(None, ech=True),
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SSL 2": b"\x80\x2e\x01\x03\x01" + b"\0" * 41,
}


@pytest.mark.parametrize("early", [False, True], ids=["afterwards", "with the CONNECT"])
@pytest.mark.parametrize("what", NOT_AS_JUDGED)
def test_what_is_not_as_judged(sidecar: Sidecar, origin: Origin, what: str, early: bool) -> None:
    """No name, a hidden one, and what is no TLS: the connection ends in order, certified, the origin gets nothing."""
    netloc = f"localhost:{origin.port}"
    with sidecar.connect() as connection:
        connection.sendall(connect_head(netloc) + (NOT_AS_JUDGED[what] if early else b""))
        answer = read_head(connection)
        if not early:
            connection.sendall(NOT_AS_JUDGED[what])
        answer += read_all(connection)
    head, _, rest = answer.partition(b"\r\n\r\n")
    allow = json.loads(head_of(head + b"\r\n\r\n")[1]["x-eve-decision-cert"])
    block = severed(sidecar, allow)
    if what == "plain HTTP":
        assert json.loads(head_of(rest)[2])["certificate"] == block
    nothing_came(origin)


def test_an_address_without_a_name(sidecar: Sidecar, origin: Origin) -> None:
    """Clients send no name for an address: there is none to compare. A name there is one too many."""
    connection, _ = tunnel(sidecar, origin.netloc)
    with client_context().wrap_socket(connection, server_hostname="127.0.0.1") as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert tls.recv(65536).endswith(b"hello")
    connection, allow = tunnel(sidecar, origin.netloc)
    with connection, pytest.raises(ssl.SSLError, match=r"(?i)access denied"):
        client_context().wrap_socket(connection, server_hostname="localhost")
    severed(sidecar, allow)


def test_a_tunnel_that_is_not_used(sidecar: Sidecar, origin: Origin) -> None:
    """Opened and hung up: one certificate, no refusal."""
    answer = connect(sidecar, f"localhost:{origin.port}")
    assert answer.status == 200
    until(lambda: origin.arrivals and origin.arrivals[0].closed.is_set())
    allow = answer.certificate
    assert allow is not None
    pause(0.1)
    assert not [entry for entry in sidecar.decisions() if entry["parent"] == allow["certificate_id"]]


def test_a_server_that_speaks_first_to_a_silent_client(sidecar: Sidecar) -> None:
    """SMTP in a tunnel: the server's greeting never arrives, and after ten seconds the tunnel is severed."""

    def greet(connection: socket.socket, arrival: Arrival) -> None:
        connection.sendall(b"220 ready\r\n")
        echo(connection, arrival)

    with Origin(greet) as origin:
        connection, allow = tunnel(sidecar, f"localhost:{origin.port}")
        with connection:
            connection.settimeout(15)
            assert connection.recv(65536) == b""
        assert "in time" in severed(sidecar, allow)["reason"]
        assert origin.received == b""


def test_log_relays(tmp_path: Path) -> None:
    """EVE_PROXY_CONNECT_SNI=log: a greeting, a foreign name and no TLS at all pass, and each line says so."""

    def greet(connection: socket.socket, arrival: Arrival) -> None:
        connection.sendall(b"220 ready\r\n")
        echo(connection, arrival)

    with Sidecar(tmp_path, EVE_PROXY_CONNECT_SNI="log") as sidecar, Origin(greet) as server, Origin(echo) as origin:
        connection, _ = tunnel(sidecar, f"localhost:{server.port}")
        with connection:
            assert connection.recv(65536) == b"220 ready\r\n"
            connection.sendall(b"EHLO me\r\n")
            assert connection.recv(65536) == b"EHLO me\r\n"
        for data in (client_hello("evil.example"), b"SSH-2.0-OpenSSH_9.2\r\n"):
            connection, _ = tunnel(sidecar, f"localhost:{origin.port}")
            with connection:
                connection.sendall(data)
                assert connection.recv(65536) == data
        lines = until(lambda: (found := sidecar.decision_lines())[2:] and found)
        said = [line["detail"].partition("EVE_PROXY_CONNECT_SNI=log): ")[2] for line in lines]
        assert "the server spoke first" in said[0]
        assert "names evil.example" in said[1]
        assert "looks like SSH" in said[2]
        assert {record["verdict"] for record in sidecar.decisions()} == {"allow"}


def test_many_at_once(sidecar: Sidecar, origin: Origin) -> None:
    """Twenty clients, half of them fronting: each gets what is its own."""
    results: dict[int, str] = {}

    def client(number: int) -> None:
        connection, _ = tunnel(sidecar, f"localhost:{origin.port}")
        name = "localhost" if number % 2 else "evil.example"
        try:
            with client_context().wrap_socket(connection, server_hostname=name) as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                results[number] = tls.recv(65536)[-5:].decode()
        except ssl.SSLError:
            results[number] = "severed"

    threads = [threading.Thread(target=client, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {number: "hello" if number % 2 else "severed" for number in range(20)}


def test_the_journal_verifies(tmp_path: Path, origin: Origin) -> None:
    """Two certificates for one tunnel are two lines of one whole chain."""
    with Sidecar(tmp_path, EVE_PROXY_CONNECT_SNI="strict") as sidecar:
        connection, allow = tunnel(sidecar, f"localhost:{origin.port}")
        with connection:
            connection.sendall(client_hello("evil.example"))
            assert read_all(connection)
        severed(sidecar, allow)
        sidecar.stop()
        assert verify(sidecar.journal)[0] == WHOLE
