"""Real proxies as the parent: squid and tinyproxy, as they come and with credentials."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.fakes.origin import Origin, echo
from tests.integration.client import connect, connect_head, get, post, read_head
from tests.integration.peers import Squid, Tinyproxy, needs_squid, needs_tinyproxy
from tests.integration.sidecar import Sidecar, until
from tests.integration.test_parent_proxy import credentials_file, outcome
from tests.integration.test_tunnels import serve_tls

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
NAME = "inside.corp.example"
# What Debian's squid.conf says, as far as it matters here, and the lines of docs/parent-proxy.md.
AS_IT_COMES = """
acl SSL_ports port 443 {tls}
acl Safe_ports port 80 443 1025-65535
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow {who}
http_access deny all
"""
PERMITTING = """
acl eve src 127.0.0.1
acl eve_ports port 80 443 1025-65535
acl CONNECT method CONNECT
http_access allow CONNECT eve_ports eve {who}
http_access deny all
"""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@needs_squid
def test_squid_by_address(tmp_path: Path, origin: Origin) -> None:
    """Everything is a CONNECT to the judged address, for plain HTTP too, which the page's lines permit."""
    with (
        Squid(tmp_path / "squid", PERMITTING.format(who="")) as squid,
        Sidecar(tmp_path, EVE_PROXY_UPSTREAM_PROXY=squid.url) as sidecar,
    ):
        answer = post(sidecar, f"localhost:{origin.port}", b"question")
        assert (answer.status, answer.body) == (200, b"hello from the origin\n")
        with Origin(echo) as echoing, sidecar.connect() as client:
            client.sendall(connect_head(echoing.netloc))
            assert read_head(client).startswith(b"HTTP/1.1 200 ")
            client.sendall(b"through squid")
            assert client.recv(100) == b"through squid"
        assert outcome(sidecar)["via"] == f"127.0.0.1:{squid.port}"
        sidecar.stop()
        # It writes a tunnel down when it has ended.
        log = until(lambda: f"CONNECT 127.0.0.1:{origin.port}" in squid.access_log and squid.access_log)
        assert "localhost" not in log


@needs_squid
def test_squid_refuses_connect_to_port_80(tmp_path: Path, origin: Origin) -> None:
    """A squid as it comes refuses CONNECT to other ports than 443: the 502 says who refused, without its page."""
    with (
        Squid(tmp_path / "squid", AS_IT_COMES.format(tls="", who="all")) as squid,
        Sidecar(tmp_path, EVE_PROXY_UPSTREAM_PROXY=squid.url) as sidecar,
    ):
        answer = get(sidecar, origin)
        assert answer.status == 502
        assert b"refused CONNECT with status 403" in answer.body
        assert b"ERR_ACCESS_DENIED" not in answer.raw
        assert b"squid" not in answer.raw.lower()
        assert origin.reached() == 0


@needs_squid
def test_squid_by_name(tmp_path: Path, origin: Origin) -> None:
    """A squid as it comes, a name that only it knows: HTTP in absolute-form, TLS by CONNECT, credentials on each."""
    with (
        Origin(serve_tls) as secure,
        Squid(
            tmp_path / "squid",
            AS_IT_COMES.format(tls=secure.port, who="known"),
            hosts=(NAME,),
            credentials="eve:secret word",
        ) as squid,
        Sidecar(
            tmp_path,
            EVE_PROXY_UPSTREAM_PROXY=squid.url,
            EVE_PROXY_UPSTREAM_PROXY_BY="name",
            EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=credentials_file(tmp_path, "eve:secret word"),
        ) as sidecar,
    ):
        answer = post(sidecar, f"{NAME}:{origin.port}", b"question", "/p")
        assert (answer.status, answer.body) == (200, b"hello from the origin\n")
        assert b"roxy-" not in origin.received
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with sidecar.connect() as client:
            client.sendall(connect_head(f"{NAME}:{secure.port}"))
            assert b"destination_unverified_address" in read_head(client)
            with context.wrap_socket(client, server_hostname=NAME) as inside:
                inside.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert inside.recv(1000).startswith(b"HTTP/1.1 200 OK")
        log = until(lambda: "CONNECT" in squid.access_log and squid.access_log)
        assert f"POST http://{NAME}:{origin.port}/p" in log
        assert f"CONNECT {NAME}:{secure.port}" in log


@needs_squid
@pytest.mark.parametrize("by", ["address", "name"])
def test_squid_and_wrong_credentials(tmp_path: Path, origin: Origin, by: str) -> None:
    """A 407 of squid's is a 502 that names the file to look at, whatever form the request had."""
    rules = PERMITTING if by == "address" else AS_IT_COMES
    with (
        Squid(tmp_path / "squid", rules.format(tls="", who="known"), hosts=(NAME,), credentials="eve:right") as squid,
        Sidecar(
            tmp_path,
            EVE_PROXY_UPSTREAM_PROXY=squid.url,
            EVE_PROXY_UPSTREAM_PROXY_BY=by,
            EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=credentials_file(tmp_path, "eve:wrong"),
        ) as sidecar,
    ):
        netloc = origin.netloc if by == "address" else f"{NAME}:{origin.port}"
        answer = get(sidecar, netloc)
        assert answer.status == 502
        assert b"EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE (status 407)" in answer.body
        assert b"wrong" not in answer.raw
        assert origin.reached() == 0


@needs_squid
def test_squid_that_ends_leaves_no_way(tmp_path: Path, origin: Origin) -> None:
    """When the parent is stopped, requests fail; none goes around it."""
    with Sidecar(tmp_path, EVE_PROXY_UPSTREAM_PROXY="http://127.0.0.1:1") as never:
        assert get(never, origin).status == 502
    (tmp_path / "second").mkdir()
    with (
        Squid(tmp_path / "squid", PERMITTING.format(who="")) as squid,
        Sidecar(tmp_path / "second", EVE_PROXY_UPSTREAM_PROXY=squid.url) as sidecar,
    ):
        assert get(sidecar, origin).status == 200
        reached = origin.reached()
        squid.stop()
        for _ in range(3):
            assert get(sidecar, origin).status == 502
            assert connect(sidecar, origin).status == 502
        assert origin.reached() == reached


@needs_squid
def test_squid_over_tls(tmp_path: Path, origin: Origin) -> None:
    """An https proxy is reached over TLS that is verified against the roots that were given."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key, roots = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(roots)
    with (
        Squid(tmp_path / "squid", PERMITTING.format(who=""), tls=(cert, key)) as squid,
        Sidecar(
            tmp_path, EVE_PROXY_UPSTREAM_PROXY=f"https://127.0.0.1:{squid.port}", EVE_PROXY_UPSTREAM_CA=roots
        ) as sidecar,
    ):
        assert post(sidecar, origin, b"question").status == 200
        with Origin(echo) as echoing, sidecar.connect() as client:
            client.sendall(connect_head(echoing.netloc))
            assert read_head(client).startswith(b"HTTP/1.1 200 ")
            client.sendall(b"through squid")
            assert client.recv(100) == b"through squid"


@needs_tinyproxy
@pytest.mark.parametrize("by", ["address", "name"])
def test_tinyproxy(tmp_path: Path, origin: Origin, by: str) -> None:
    """tinyproxy, with credentials: a request and a tunnel go through it in either way."""
    with (
        Tinyproxy(tmp_path / "tiny", "BasicAuth eve secret") as tiny,
        Origin(echo) as echoing,
        Sidecar(
            tmp_path,
            EVE_PROXY_UPSTREAM_PROXY=tiny.url,
            EVE_PROXY_UPSTREAM_PROXY_BY=by,
            EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=credentials_file(tmp_path, "eve:secret"),
        ) as sidecar,
    ):
        answer = post(sidecar, f"localhost:{origin.port}", b"question", "/p")
        assert (answer.status, answer.body) == (200, b"hello from the origin\n")
        with sidecar.connect() as client:
            client.sendall(connect_head(echoing.netloc))
            assert read_head(client).startswith(b"HTTP/1.1 200 ")
            client.sendall(b"through tinyproxy")
            assert client.recv(100) == b"through tinyproxy"
        assert outcome(sidecar)["via"] == f"127.0.0.1:{tiny.port}"


@needs_tinyproxy
def test_tinyproxy_and_wrong_credentials(tmp_path: Path, origin: Origin) -> None:
    """A refusal of tinyproxy's is a 502, and its page is not shown."""
    with (
        Tinyproxy(tmp_path / "tiny", "BasicAuth eve secret") as tiny,
        Sidecar(tmp_path, EVE_PROXY_UPSTREAM_PROXY=tiny.url) as sidecar,
    ):
        answer = get(sidecar, origin)
        assert answer.status == 502
        assert b"asks for credentials (status 407)" in answer.body
        assert b"tinyproxy" not in answer.raw
        assert origin.reached() == 0
