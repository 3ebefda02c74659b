"""The governance client against real TLS servers: who is trusted, and what is said about who is not.

The servers are the standard library's ``ssl`` in threads: nothing of what is tested is also what tests it.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from twisted.internet import reactor as real_reactor  # noqa: TID251 (a running reactor is the point)
from twisted.internet import task

from eve_proxy.governance.address import parse_governance_url
from eve_proxy.model.errors import GovernorUnavailable
from eve_proxy.model.headers import Headers
from eve_proxy.transport.governance_http import GovernanceHttp
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.resolver import Resolver
from eve_proxy.transport.tls import load_client_tls

reactor: Any = real_reactor
CA = trustme.CA()
HEADERS = Headers.of([(b"Content-Type", b"application/json")])
Start = Callable[..., int]
Ask = Callable[..., Any]


def answer(connection: Any, requests: list[bytes]) -> None:
    """Serve one connection until it closes: every question gets its own length back."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
        while b"\r\n\r\n" in data:
            head, _, rest = data.partition(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if len(rest) < size:
                break
            requests.append(head)
            data = rest[size:]
            body = b"%d" % size
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


class Server:
    """Accepts on ``listening``, one thread for each connection."""

    def __init__(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        self.listening, self.context = listening, context
        self.requests: list[bytes] = []
        self.connections = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: Any) -> None:
        try:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            answer(connection, self.requests)
        except OSError:
            pass
        finally:
            connection.close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.listening.close()


@pytest.fixture
def start(servers: list[Server]) -> Start:
    """Start a TLS server; its port."""

    def start(
        *names: str,
        ca: trustme.CA = CA,
        expired: bool = False,
        client_ca: trustme.CA | None = None,
        old: bool = False,
    ) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if old:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        leaf = ca.issue_cert(*names, not_before=past, not_after=past + datetime.timedelta(days=1) if expired else None)
        leaf.configure_cert(context)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            client_ca.configure_trust(context)
        listening = socket.create_server(("127.0.0.1", 0))
        servers.append(Server(listening, context))
        return int(listening.getsockname()[1])

    return start


@pytest_twisted.async_yield_fixture
async def ask(tmp_path: Path) -> Any:
    """Ask a URL one question."""
    clients: list[GovernanceHttp] = []
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")

    def client(url: str, **files: str) -> GovernanceHttp:
        address = parse_governance_url(url)
        tls = None
        if url.startswith("https"):
            assert address.authority is not None
            tls = load_client_tls(address.authority, **{"ca": str(tmp_path / "ca.pem"), **files})
        made = GovernanceHttp(
            address,
            reactor=reactor,
            clock=reactor,
            tls=tls,
            resolver=Resolver(reactor, reactor),
            ends=OwnEnds(()),
            timeout=5.0,
        )
        clients.append(made)
        return made

    yield client
    for made in clients:
        made.close()
    await task.deferLater(reactor, 0.02, lambda: None)


async def call(client: GovernanceHttp, body: bytes = b"question") -> tuple[int, bytes]:
    status, _, answered = await client.call("/v1/decisions/evaluate", HEADERS, body)
    return status, answered


async def refusal(client: GovernanceHttp) -> str:
    with pytest.raises(GovernorUnavailable) as caught:
        await call(client)
    return str(caught.value).removeprefix("governance service: ")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_trusted(start: Start, ask: Ask, servers: list[Server], host: str) -> None:
    """A certificate of our CA for the right name or address is believed, and the connection is kept."""
    client = ask(f"https://{host}:{start(host)}")
    assert await call(client) == (200, b"8")
    assert await call(client, b"x" * 500_000) == (200, b"500000")
    assert servers[0].connections == 1
    assert len(servers[0].requests) == 2


@pytest_twisted.ensureDeferred
async def test_another_ca(start: Start, ask: Ask, servers: list[Server]) -> None:
    """A service with a certificate of somebody else gets no question."""
    assert (
        await refusal(ask(f"https://localhost:{start('localhost', ca=trustme.CA())}")) == "TLS certificate not verified"
    )
    assert servers[0].requests == []


@pytest_twisted.ensureDeferred
async def test_system_roots(start: Start, ask: Ask, servers: list[Server]) -> None:
    """Without EVE_PROXY_GOVERNANCE_CA a private CA is not believed."""
    assert await refusal(ask(f"https://localhost:{start('localhost')}", ca="")) == "TLS certificate not verified"
    assert servers[0].requests == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_another_name(start: Start, ask: Ask, servers: list[Server], host: str) -> None:
    """A certificate for another host gets no question."""
    said = await refusal(ask(f"https://{host}:{start('governor.example')}"))
    assert said == "TLS certificate not verified: it is not for this host"
    assert servers[0].requests == []


@pytest_twisted.ensureDeferred
async def test_expired(start: Start, ask: Ask, servers: list[Server]) -> None:
    """An expired certificate gets no question."""
    assert await refusal(ask(f"https://localhost:{start('localhost', expired=True)}")) == "TLS certificate not verified"
    assert servers[0].requests == []


@pytest_twisted.ensureDeferred
async def test_old_tls(start: Start, ask: Ask, servers: list[Server]) -> None:
    """Nothing older than TLS 1.2 is spoken."""
    said = await refusal(ask(f"https://localhost:{start('localhost', old=True)}"))
    assert said.startswith("TLS: ")
    assert servers[0].requests == []


@pytest_twisted.ensureDeferred
async def test_client_certificate(start: Start, ask: Ask, tmp_path: Path) -> None:
    """A service that asks for our certificate gets it; without one it refuses us, and that is what is said."""
    own = CA.issue_cert("client.example")
    (tmp_path / "client.pem").write_bytes(b"".join(blob.bytes() for blob in own.cert_chain_pems))
    (tmp_path / "client.key").write_bytes(own.private_key_pem.bytes())
    port = start("localhost", client_ca=CA)
    files = {"cert": str(tmp_path / "client.pem"), "key": str(tmp_path / "client.key")}
    assert await call(ask(f"https://localhost:{port}", **files)) == (200, b"8")
    assert "certificate required" in await refusal(ask(f"https://localhost:{port}"))


@pytest_twisted.ensureDeferred
async def test_not_tls(ask: Ask) -> None:
    """A service that does not speak TLS is not spoken to in the clear."""
    heard: list[bytes] = []

    def plain() -> None:
        connection, _ = listening.accept()
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=plain, daemon=True).start()
        assert (await refusal(ask(f"https://localhost:{listening.getsockname()[1]}"))).startswith("TLS: ")
    assert b"POST" not in heard[0]


@pytest_twisted.ensureDeferred
async def test_refused(ask: Ask) -> None:
    """A service that is down is named as such."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert await refusal(ask(f"https://localhost:{port}")) == "connection refused"


@pytest_twisted.ensureDeferred
async def test_unix_socket(ask: Ask, servers: list[Server], tmp_path: Path) -> None:
    """A service on this machine is asked over its socket, warm as well; one that is not there is named."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "governor.sock"))
    listening.listen()
    servers.append(Server(listening, None))
    client = ask(f"unix:{tmp_path}/governor.sock")
    assert [await call(client) for _ in range(3)] == [(200, b"8")] * 3
    assert servers[0].connections == 1
    assert await refusal(ask(f"unix:{tmp_path}/none.sock")) == "no such file or directory"
