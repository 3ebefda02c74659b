"""Everything leaves through the parent proxy or not at all: a real daemon, a scripted parent, real TLS."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes.origin import Arrival, Origin, echo, read_request, respond
from tests.fakes.parent_proxy import ParentProxy, says
from tests.integration.client import WHOLE, ask, connect, connect_head, get, get_head, pause, post, read_head, verify
from tests.integration.peers import free_port
from tests.integration.sidecar import Sidecar, read_all, until
from tests.integration.test_tunnels import serve_tls

CA = trustme.CA()
CREDENTIALS = "eve:p:ss wörd"
Start = Callable[..., Sidecar]


def server_context(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    return context


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as running:

        def make(parent: ParentProxy | str, **settings: str | None) -> Sidecar:
            url = parent if isinstance(parent, str) else parent.url
            return running.enter_context(Sidecar(tmp_path, EVE_PROXY_UPSTREAM_PROXY=url, **settings))

        yield make


def credentials_file(folder: Path, text: str = CREDENTIALS) -> str:
    path = folder / "credentials"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def outcome(sidecar: Sidecar) -> dict[str, Any]:
    """The details of the first outcome record."""
    (record, *_) = until(lambda: [each for each in sidecar.records() if each["kind"] == "outcome"])
    details: dict[str, Any] = record["record"]
    return details


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_request_goes_through(start: Start, origin: Origin, tmp_path: Path, secure: bool) -> None:
    """The parent is asked for the judged address, with our credentials; evidence says through whom it went."""
    (tmp_path / "ca.pem").write_bytes(CA.cert_pem.bytes())
    tls = server_context() if secure else None
    with ParentProxy(tls=tls, credentials=CREDENTIALS) as parent:
        sidecar = start(
            parent,
            EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=credentials_file(tmp_path),
            EVE_PROXY_UPSTREAM_CA=str(tmp_path / "ca.pem") if secure else None,
        )
        answer = post(sidecar, f"localhost:{origin.port}", b"question", "/p", "Proxy-Authorization: Basic bWluZQ==")
        assert (answer.status, answer.body) == (200, b"hello from the origin\n")
        assert parent.asked[0] in (f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1", f"CONNECT [::1]:{origin.port} HTTP/1.1")
        assert parent.asked[-1] == f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1"
        assert not any(b"localhost" in head or b"bWluZQ==" in head for head in parent.heads)
        assert b"roxy-" not in origin.received
        assert origin.received.startswith(b"POST /p HTTP/1.1\r\n")
        assert answer.certificate is not None
        assert answer.certificate["coverage"] == "full"
        details = outcome(sidecar)
        assert (details["via"], details["address"]) == (f"127.0.0.1:{parent.port}", "127.0.0.1")
        assert list(details) == sorted(details)
        assert "p:ss" not in sidecar.output
    assert sidecar.stop() == 0
    assert verify(sidecar.journal)[0] == WHOLE


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_tunnel_goes_through(start: Start, tmp_path: Path, secure: bool) -> None:
    """Bytes travel both ways, many of them, and a client's end of sending reaches the origin where TLS lets it."""
    (tmp_path / "ca.pem").write_bytes(CA.cert_pem.bytes())
    big = bytes(range(256)) * 8192
    with Origin(echo) as origin, ParentProxy(tls=server_context() if secure else None) as parent:
        sidecar = start(parent, EVE_PROXY_UPSTREAM_CA=str(tmp_path / "ca.pem") if secure else None)
        with sidecar.connect() as client:
            client.sendall(connect_head(origin.netloc))
            assert read_head(client).startswith(b"HTTP/1.1 200 ")
            got = bytearray()
            for start_at in range(0, len(big), 65536):
                client.sendall(big[start_at : start_at + 65536])
                while len(got) < start_at + 65536:
                    got += client.recv(65536)
            if not secure:
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        assert bytes(got) == big
        assert origin.received == big
        assert outcome(sidecar)["via"] == f"127.0.0.1:{parent.port}"


def test_early_data_is_the_origins(start: Start) -> None:
    """What the parent sends in one piece with its 200 is the beginning of what the origin says: not a byte is lost."""
    with Origin(echo) as origin, ParentProxy(early=b"220 mail.example ready\r\n") as parent:
        for sni in ("off", "log"):
            sidecar = start(parent, EVE_PROXY_CONNECT_SNI=sni)
            with sidecar.connect() as client:
                client.sendall(connect_head(origin.netloc))
                head, _, rest = read_head(client).partition(b"\r\n\r\n")
                assert b"220 mail" not in head
                while len(rest) < 24:
                    rest += client.recv(65536)
                client.sendall(b"EHLO")
                rest += client.recv(65536)
                assert rest == b"220 mail.example ready\r\nEHLO"
            sidecar.stop()


def test_connections_are_kept_by_destination(start: Start, origin: Origin) -> None:
    """A second request uses the tunnel again; another origin gets one of its own."""
    with Origin(respond(b"other")) as other, ParentProxy() as parent:
        sidecar = start(parent)
        with sidecar.connect() as client:
            for each, body in ((origin, b"hello"), (origin, b"hello"), (other, b"other"), (origin, b"hello")):
                client.sendall(f"GET {each.url}/ HTTP/1.1\r\nHost: {each.netloc}\r\n\r\n".encode())
                data = read_head(client)
                while not data.partition(b"\r\n\r\n")[2]:
                    data += client.recv(65536)
                assert data.partition(b"\r\n\r\n")[2].startswith(body)
        assert parent.asked == [f"CONNECT {each.netloc} HTTP/1.1" for each in (origin, other)]
        assert (len(origin.arrivals), len(other.arrivals)) == (1, 1)


BIG_HEAD = b"HTTP/1.1 200 OK\r\n" + b"X-Fill: %b\r\n" % (b"x" * 1000) * 70 + b"\r\n"
FAULTS: dict[str, tuple[Any, str]] = {
    "403": (says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way"), "refused CONNECT with status 403"),
    "502": (says(b"HTTP/1.1 502 Bad Gateway\r\nX-EVE-Verdict: ALLOW\r\n\r\n<page>"), "refused CONNECT with status 502"),
    "407": (
        says(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"),
        "asks for credentials (status 407)",
    ),
    "301": (says(b"HTTP/1.1 301 Moved\r\nLocation: http://evil.example/\r\n\r\n"), "refused CONNECT with status 301"),
    "101": (says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), "is malformed"),
    "garbage": (says(b"\x16\x03\x01 SSH-2.0\r\n\r\n"), "is malformed"),
    "not HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "is malformed"),
    "oversized": (says(BIG_HEAD), "is malformed"),
    "ambiguous": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "is malformed"),
    "truncated": (says(b"HTTP/1.1 200 Conn"), "closed the connection before it answered CONNECT"),
    "silent end": (says(), "closed the connection before it answered CONNECT"),
    "reset": (says(reset=True), "closed the connection before it answered CONNECT"),
    "hangs": (says(close=False), "timed out after 1 s"),
    "endless 1xx": (says(b"HTTP/1.1 102 Processing\r\n\r\n" * 40, close=False), "is malformed"),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sidecar, ParentProxy]]:
    """A parent whose fault is exchanged, and a daemon behind it."""
    with (
        ParentProxy() as parent,
        Sidecar(
            tmp_path_factory.mktemp("faulty"), EVE_PROXY_UPSTREAM_PROXY=parent.url, EVE_PROXY_UPSTREAM_TIMEOUT="1"
        ) as sidecar,
    ):
        yield sidecar, parent


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("tunnel", [False, True], ids=["forward", "connect"])
def test_what_the_parent_gets_wrong(
    faulty: tuple[Sidecar, ParentProxy], origin: Origin, fault: str, tunnel: bool
) -> None:
    """The client reads a certified 502 that says that it was the parent, none of its words, and the origin nothing."""
    sidecar, parent = faulty
    parent.fault, expected = FAULTS[fault]
    before = parent.connections
    answer = connect(sidecar, origin) if tunnel else get(sidecar, origin)
    assert answer.status == 502
    assert answer.body.decode().startswith(f"upstream error: parent proxy 127.0.0.1:{parent.port}: ")
    assert expected in answer.body.decode()
    for word in (b"no way", b"<page>", b"evil.example", b"realm", b"SSH"):
        assert word not in answer.raw
    assert answer.certificate is not None
    assert answer.certificate["verdict"] == "allow"
    assert parent.connections == before + 1
    assert origin.reached() == 0


@pytest.mark.parametrize("tunnel", [False, True], ids=["forward", "connect"])
def test_a_dead_parent_is_never_gone_around(start: Start, origin: Origin, tunnel: bool) -> None:
    """With the parent down nothing reaches the origin: there is no direct fallback."""
    sidecar = start(f"http://127.0.0.1:{free_port()}")
    answer = connect(sidecar, origin) if tunnel else get(sidecar, origin)
    assert answer.status == 502
    assert b"connection refused" in answer.body
    assert origin.reached() == 0


def test_wrong_credentials_are_shown_once(start: Start, origin: Origin, tmp_path: Path) -> None:
    """A name with two addresses does not make us knock twice with a bad password; the answer names the file to mend."""
    with ParentProxy(credentials=CREDENTIALS) as parent:
        path = credentials_file(tmp_path, "eve:wrong")
        sidecar = start(parent, EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=path)
        answer = get(sidecar, f"localhost:{origin.port}")
        assert answer.status == 502
        assert b"EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE (status 407)" in answer.body
        assert b"wrong" not in answer.raw
        assert b"who are you" not in answer.raw
        assert parent.connections == 1
        assert "eve:wrong" not in sidecar.output
        assert origin.reached() == 0


@pytest.mark.parametrize(
    ("names", "trusted", "expected"),
    [
        (("127.0.0.1",), False, b"TLS certificate not verified"),
        (("other.example",), True, b"TLS certificate not verified: it is not for this host"),
    ],
    ids=["unknown roots", "another host"],
)
@pytest.mark.parametrize("by", ["address", "name"])
def test_an_impostor_gets_nothing(
    start: Start, origin: Origin, tmp_path: Path, names: tuple[str, ...], trusted: bool, expected: bytes, by: str
) -> None:
    """A parent whose TLS is not verified sees neither the CONNECT nor the credentials."""
    roots = CA if trusted else trustme.CA()
    (tmp_path / "ca.pem").write_bytes(roots.cert_pem.bytes())
    with ParentProxy(tls=server_context(*names)) as parent:
        sidecar = start(
            parent,
            EVE_PROXY_UPSTREAM_CA=str(tmp_path / "ca.pem"),
            EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=credentials_file(tmp_path),
            EVE_PROXY_UPSTREAM_PROXY_BY=by,
        )
        answer = get(sidecar, "api.internal.example" if by == "name" else origin)
        assert answer.status == 502
        assert expected in answer.body
        assert parent.heads == []
        assert origin.reached() == 0


def test_a_reset_after_the_200(start: Start, origin: Origin) -> None:
    """A parent that breaks an open tunnel breaks it for the client, as an origin would."""
    with ParentProxy(fault=says(b"HTTP/1.1 200 OK\r\n\r\n", reset=True)) as parent:
        sidecar = start(parent)
        answer = post(sidecar, origin)
        assert answer.status == 502
        assert b"the connection was closed before an answer" in answer.body
        assert origin.reached() == 0
        with sidecar.connect() as client:
            client.sendall(connect_head(origin.netloc))
            with suppress(ConnectionResetError):
                assert read_all(client).partition(b"\r\n\r\n")[2] == b""
        assert origin.reached() == 0


@pytest.mark.parametrize("announced", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_announced_on_a_200_is_no_body(start: Start, announced: bytes) -> None:
    """What follows the head of a 2xx is the tunnel, whatever it announces (RFC 9110 section 9.3.6)."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with ParentProxy(fault=says(b"HTTP/1.1 200 OK\r\n%b\r\n" % announced, said, close=False)) as parent:
        sidecar = start(parent)
        answer = get(sidecar, "127.0.0.1:4444")
        assert (answer.status, answer.body) == (200, b"ok")


def test_what_is_listed_goes_directly(start: Start, origin: Origin) -> None:
    """A listed network is reached without the parent, which is not asked."""
    with ParentProxy() as parent:
        sidecar = start(parent, EVE_PROXY_UPSTREAM_NO_PROXY="127.0.0.0/8,::1")
        assert get(sidecar, f"localhost:{origin.port}").status == 200
        assert parent.connections == 0
        assert outcome(sidecar)["via"] is None


def test_deny_rules_hold_before_the_parent(start: Start, origin: Origin) -> None:
    """What is refused is refused: the parent hears nothing of it."""
    with ParentProxy() as parent:
        sidecar = start(parent, EVE_PROXY_BLOCKED_HOSTS="localhost", EVE_PROXY_ALLOWED_NETWORKS="")
        for netloc in (f"localhost:{origin.port}", origin.netloc):
            assert get(sidecar, netloc).status == 451
            assert connect(sidecar, netloc).status == 451
        assert parent.connections == 0


# -- by name ---------------------------------------------------------------------------------------------------------


def test_by_name_nothing_is_looked_up(start: Start, origin: Origin, tmp_path: Path) -> None:
    """A name that only the parent knows is reached: plain HTTP in absolute-form, a tunnel by CONNECT; and certificates
    say that nobody verified its address.
    """
    name = "only-the-parent-knows.example"
    with ParentProxy(credentials=CREDENTIALS, resolve={name: "127.0.0.1"}) as parent:
        path = credentials_file(tmp_path)
        sidecar = start(parent, EVE_PROXY_UPSTREAM_PROXY_BY="name", EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=path)
        answer = post(sidecar, f"{name}:{origin.port}", b"question", "/p?q=1", "Proxy-Authorization: Basic bWluZQ==")
        assert (answer.status, answer.body) == (200, b"hello from the origin\n")
        assert parent.asked == [f"POST http://{name}:{origin.port}/p?q=1 HTTP/1.1"]
        assert b"bWluZQ==" not in parent.heads[0]
        assert b"roxy-" not in origin.received
        assert answer.certificate is not None
        assert answer.certificate["coverage"] == "full_unverified_address"
        details = outcome(sidecar)
        assert (details["via"], details["address"]) == (f"127.0.0.1:{parent.port}", None)
        tunnel = connect(sidecar, f"{name}:{origin.port}")
        assert tunnel.status == 200
        assert tunnel.certificate is not None
        assert tunnel.certificate["coverage"] == "destination_unverified_address"
        assert parent.asked[1:] == [f"CONNECT {name}:{origin.port} HTTP/1.1"]
    assert sidecar.stop() == 0
    assert verify(sidecar.journal)[0] == WHOLE


def test_by_name_literals_are_judged(start: Start, origin: Origin) -> None:
    """An address in the request is judged as ever, and so is localhost, whatever the parent would make of it."""
    with ParentProxy() as parent:
        sidecar = start(parent, EVE_PROXY_UPSTREAM_PROXY_BY="name", EVE_PROXY_ALLOWED_NETWORKS="")
        for host in ("127.0.0.1", "0x7f.1", "localhost", "x.localhost"):
            netloc = f"{host}:{origin.port}"
            assert get(sidecar, netloc).status in (451, 502)  # 502: here nobody resolves x.localhost
            assert connect(sidecar, netloc).status in (451, 502)
        assert parent.connections == 0
        assert origin.reached() == 0


def test_by_name_a_407_is_a_502(start: Start, origin: Origin) -> None:
    """A parent that asks for credentials in absolute-form asks us; the client is not asked."""
    with ParentProxy(credentials=CREDENTIALS) as parent:
        sidecar = start(parent, EVE_PROXY_UPSTREAM_PROXY_BY="name")
        answer = get(sidecar, "api.internal.example")
        assert answer.status == 502
        assert b"asks for credentials (status 407)" in answer.body
        assert "proxy-authenticate" not in answer.fields
        assert parent.connections == 1


def test_by_name_a_trace_shows_nobody_our_credentials(start: Start, tmp_path: Path) -> None:
    """The last proxy on a TRACE's way repeats the head that it got (RFC 9110 section 9.3.8), and a client chooses which
    one that is: a head with our credentials must not be among them.
    """

    def reflect(connection: Any, head: bytes) -> None:
        if head.startswith(b"CONNECT "):
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            head = connection.recv(65536).removesuffix(b"\r\n\r\n")
        assert b"\r\nMax-Forwards: 0" in head
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))

    with ParentProxy(fault=reflect) as parent:
        path = credentials_file(tmp_path)
        sidecar = start(parent, EVE_PROXY_UPSTREAM_PROXY_BY="name", EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=path)
        answer = ask(
            sidecar,
            b"TRACE http://api.example/ HTTP/1.1\r\nHost: api.example\r\nMax-Forwards: 1\r\nConnection: close\r\n\r\n",
        )
        assert answer.status == 200
        assert b"Max-Forwards: 0" in answer.body
        assert b"roxy-" not in answer.body
        assert parent.asked == ["CONNECT api.example:80 HTTP/1.1"]


def test_the_ambient_variables_are_ignored(tmp_path: Path, origin: Origin) -> None:
    """HTTP_PROXY and its siblings in the daemon's environment change nothing: neither a way out, nor an exception."""
    with ParentProxy() as ambient, ParentProxy() as parent:
        for folder, upstream in ((tmp_path / "none", None), (tmp_path / "set", parent.url)):
            folder.mkdir()
            every = {
                name: value
                for variable, value in (
                    ("HTTP_PROXY", ambient.url), ("HTTPS_PROXY", ambient.url), ("ALL_PROXY", ambient.url),
                    ("NO_PROXY", "*"),
                )
                for name in (variable, variable.lower())
            }  # fmt: skip
            with Sidecar(folder, EVE_PROXY_UPSTREAM_PROXY=upstream, **every) as sidecar:
                assert get(sidecar, origin).status == 200
                assert connect(sidecar, origin).status == 200
        assert ambient.connections == 0
        assert parent.connections == 2


def test_a_parent_that_is_this_proxy(tmp_path: Path) -> None:
    """A name that leads back to us is found when it is dialled: a 502, not a loop."""
    port = free_port()
    name = socket.gethostname()
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)}
    except OSError:
        pytest.skip("this machine does not know its own name")
    if not all(address.startswith("127.") or ":" not in str(address) for address in addresses):
        pytest.skip("this machine's name has IPv6 addresses")
    with Sidecar(
        tmp_path, EVE_PROXY_HOST="0.0.0.0", EVE_PROXY_PORT=str(port), EVE_PROXY_UPSTREAM_PROXY=f"http://{name}:{port}"
    ) as sidecar:
        answer = ask(sidecar, b"GET http://127.0.0.1:4444/ HTTP/1.1\r\nHost: 127.0.0.1:4444\r\n\r\n")
        assert answer.status == 502
        assert b"EVE_PROXY_UPSTREAM_PROXY leads to this proxy itself" in answer.body
        assert len(sidecar.decisions()) == 1


def test_a_parent_that_is_known_to_be_this_proxy(tmp_path: Path) -> None:
    """An address that is ours stops the start."""
    port = free_port()
    sidecar = Sidecar(
        tmp_path, ready=False, EVE_PROXY_PORT=str(port), EVE_PROXY_UPSTREAM_PROXY=f"http://127.0.0.1:{port}"
    )
    assert sidecar.process.wait(20) != 0
    assert until(lambda: sidecar.finished)
    assert "EVE_PROXY_UPSTREAM_PROXY leads to this proxy itself" in sidecar.output


# -- what else travels -----------------------------------------------------------------------------------------------


def switch_and_echo(connection: socket.socket, arrival: Arrival) -> None:
    """A WebSocket server that echoes bytes."""
    head = read_request(connection, arrival)
    assert head is not None
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\nfirst" % accept
    )
    echo(connection, arrival)


@pytest.mark.parametrize("by", ["address", "name"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_websocket(start: Start, tmp_path: Path, by: str, secure: bool) -> None:
    """The upgrade and what follows travel in a tunnel, whoever resolves the name."""
    (tmp_path / "ca.pem").write_bytes(CA.cert_pem.bytes())
    name = "ws.internal.example" if by == "name" else "127.0.0.1"
    tls = server_context() if secure else None
    with Origin(switch_and_echo) as origin, ParentProxy(tls=tls, resolve={name: "127.0.0.1"}) as parent:
        sidecar = start(
            parent,
            EVE_PROXY_UPSTREAM_PROXY_BY=by,
            EVE_PROXY_UPSTREAM_CA=str(tmp_path / "ca.pem") if secure else None,
        )
        with sidecar.connect() as client:
            client.sendall(
                f"GET http://{name}:{origin.port}/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            head, _, rest = read_head(client).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert (b"handshake_unverified_address" in head) is (by == "name")
            client.sendall(b"frames")
            while len(rest) < len(b"firstframes"):
                rest += client.recv(65536)
            assert rest == b"firstframes"
        assert parent.asked == [f"CONNECT {name}:{origin.port} HTTP/1.1"]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_judged_name_inside(start: Start, tmp_path: Path, secure: bool) -> None:
    """The rule about the tunnel's ClientHello holds behind a parent: the judged host is relayed, another is severed."""
    (tmp_path / "ca.pem").write_bytes(CA.cert_pem.bytes())
    with Origin(serve_tls) as origin, ParentProxy(tls=server_context() if secure else None) as parent:
        sidecar = start(
            parent,
            EVE_PROXY_CONNECT_SNI=None,
            EVE_PROXY_UPSTREAM_CA=str(tmp_path / "ca.pem") if secure else None,
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name, relayed in (("localhost", True), ("evil.example", False)):
            with sidecar.connect() as client:
                client.sendall(connect_head(f"localhost:{origin.port}"))
                assert read_head(client).startswith(b"HTTP/1.1 200 ")
                if relayed:
                    with context.wrap_socket(client, server_hostname=name) as inside:
                        inside.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                        assert inside.recv(1000).startswith(b"HTTP/1.1 200 OK")
                else:
                    with pytest.raises(OSError):
                        context.wrap_socket(client, server_hostname=name)
        assert [record["matched_vector"] for record in sidecar.decisions()] == [None, None, "sni"]


@pytest.mark.parametrize("tunnel", [False, True], ids=["forward", "connect"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_client_that_does_not_read(start: Start, tmp_path: Path, secure: bool, tunnel: bool) -> None:
    """The origin is made to wait, through the parent: it cannot fill our memory."""
    (tmp_path / "ca.pem").write_bytes(CA.cert_pem.bytes())
    sent: list[int] = []

    def pour(connection: socket.socket, arrival: Arrival) -> None:
        if not tunnel:
            read_request(connection, arrival)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    with Origin(pour) as origin, ParentProxy(tls=server_context() if secure else None) as parent:
        sidecar = start(parent, EVE_PROXY_UPSTREAM_CA=str(tmp_path / "ca.pem") if secure else None)
        with sidecar.connect() as client:
            client.sendall(connect_head(origin.netloc) if tunnel else get_head(origin.netloc))
            assert read_head(client).startswith(b"HTTP/1.1 200 ")
            until(lambda: sent)
            before = -1
            while len(sent) != before:
                before = len(sent)
                pause(0.5)
            # Buffers of three sockets pairs at most, never what an origin can send in that time.
            assert sum(sent) < 64 * 1024 * 1024
            memory = int((Path("/proc") / str(sidecar.process.pid) / "statm").read_text().split()[1]) * 4096
            assert memory < 256 * 1024 * 1024
            client.recv(1 << 20)
