"""The decision service behind a parent proxy: TLS with the service inside, a client certificate, TLS outside as well.

The proxy alone knows the service's name; the daemon and the library look nothing up.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes.governor import FakeGovernor
from tests.fakes.origin import Origin
from tests.fakes.parent_proxy import ParentProxy, says
from tests.integration.client import post
from tests.integration.sidecar import Sidecar
from tests.integration.test_library_process import Program

CA, PARENT_CA = trustme.CA(), trustme.CA()
NAME = "governor.internal.example"
CALL = """
try:
    call_llm("hello")
    print("ran")
except FailClosedError as error:
    print(error.certificate.to_dict()["reason"])
"""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Certificates on disk; ``governance`` names ours, for the service."""
    leaf, client = CA.issue_cert(NAME), CA.issue_cert("client.example")
    for name, content in (
        ("ca", CA.cert_pem), ("parent-ca", PARENT_CA.cert_pem), ("key", leaf.private_key_pem),
        ("client-key", client.private_key_pem),
    ):  # fmt: skip
        content.write_to_path(str(tmp_path / f"{name}.pem"))
    for name, chain in (("cert", leaf.cert_chain_pems), ("client", client.cert_chain_pems)):
        (tmp_path / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in chain))
    (tmp_path / "client-key.pem").chmod(0o600)
    (tmp_path / "credentials").write_text("eve:secret\n")
    (tmp_path / "credentials").chmod(0o600)
    return {path.stem: str(path) for path in tmp_path.iterdir()}


def governor(files: dict[str, str], mode: str = "allow") -> FakeGovernor:
    """A service that wants our certificate."""
    return FakeGovernor(mode, tls=(files["cert"], files["key"]), client_ca=files["ca"])


def parent_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    PARENT_CA.issue_cert("127.0.0.1").configure_cert(context)
    return context


def settings(files: dict[str, str], parent: ParentProxy, port: int) -> dict[str, str]:
    chosen = {
        "EVE_PROXY_GOVERNANCE_URL": f"https://{NAME}:{port}",
        "EVE_PROXY_GOVERNANCE_CA": files["ca"],
        "EVE_PROXY_GOVERNANCE_CERT": files["client"],
        "EVE_PROXY_GOVERNANCE_KEY": files["client-key"],
        "EVE_PROXY_GOVERNANCE_PROXY": parent.url,
        "EVE_PROXY_GOVERNANCE_PROXY_CREDENTIALS_FILE": files["credentials"],
        "EVE_PROXY_ENFORCE_TIMEOUT": "10",
    }
    if parent.url.startswith("https"):
        chosen["EVE_PROXY_GOVERNANCE_PROXY_CA"] = files["parent-ca"]
    return chosen


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("who", ["daemon", "library"])
def test_through(tmp_path: Path, files: dict[str, str], origin: Origin, secure: bool, who: str) -> None:
    """The service is asked inside a tunnel that the proxy opens for its name; origins are reached without the proxy."""
    tls = parent_tls() if secure else None
    with (
        governor(files) as service,
        ParentProxy(tls=tls, credentials="eve:secret", resolve={NAME: "127.0.0.1"}) as parent,
    ):
        chosen = settings(files, parent, service.port)
        if who == "library":
            assert Program(tmp_path).run(CALL + CALL, **chosen).split() == ["ran", "ran"]
        else:
            with Sidecar(tmp_path, **chosen) as sidecar:
                for _ in range(2):
                    answer = post(sidecar, origin, b"question" * 1000)
                    assert answer.status == 200
                assert answer.certificate is not None
                assert answer.certificate["governor"] == NAME
                assert post(sidecar, origin, b"BLOCKME").status == 451
        assert set(parent.asked) == {f"CONNECT {NAME}:{service.port} HTTP/1.1"}
        assert all(head.lower().count(b"proxy-authorization: basic ") == 1 for head in parent.heads)
        # One connection for several questions.
        assert parent.connections == 1
        assert len(service.questions()) == (2 if who == "library" else 3)


FAULTS: dict[str, tuple[Any, str]] = {
    "403": (says(b"HTTP/1.1 403 No\r\n\r\n<page>"), "refused CONNECT with status 403"),
    "407": (says(b"HTTP/1.1 407 No\r\n\r\n"), "(status 407)"),
    "garbage": (says(b"SSH-2.0-x\r\n\r\n"), "its answer to CONNECT is malformed"),
    "truncated": (says(b"HTTP/1.1 200 "), "closed the connection before it answered CONNECT"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_parent_gets_wrong(tmp_path: Path, files: dict[str, str], origin: Origin, fault: str) -> None:
    """Judging fails closed, and the certificate's reason says that it was the parent: in daemon and library."""
    what, expected = FAULTS[fault]
    with governor(files) as service, ParentProxy(fault=what) as parent:
        chosen = settings(files, parent, service.port)
        with Sidecar(tmp_path, **chosen) as sidecar:
            answer = post(sidecar, origin, b"question")
        assert answer.status == 503
        reason = answer.refusal["reason"]
        assert reason.startswith(f"governance service: parent proxy 127.0.0.1:{parent.port}: ")
        assert expected in reason
        said = Program(tmp_path).run(CALL, **chosen)
        assert said.startswith(f"governance service: parent proxy 127.0.0.1:{parent.port}: ")
        assert expected in said
        assert service.questions() == []
        assert origin.reached() == 0


@pytest.mark.parametrize("who", ["daemon", "library"])
def test_nobody_goes_around_a_dead_parent(tmp_path: Path, files: dict[str, str], origin: Origin, who: str) -> None:
    """With the proxy down the service is not asked directly: its name is not even looked up."""
    with governor(files) as service:
        with ParentProxy() as parent:
            chosen = settings(files, parent, service.port)
        if who == "library":
            said = Program(tmp_path).run(CALL, **chosen)
        else:
            with Sidecar(tmp_path, **chosen) as sidecar:
                said = post(sidecar, origin, b"question").refusal["reason"]
        assert "connection refused" in said.lower()
        assert "parent proxy" in said
        assert service.questions() == []


@pytest.mark.parametrize("who", ["daemon", "library"])
def test_a_parent_that_plays_the_service(tmp_path: Path, files: dict[str, str], origin: Origin, who: str) -> None:
    """A proxy that answers in the service's place has no certificate of its name: nothing is asked of it."""
    with ExitStack() as running:
        imposter = running.enter_context(FakeGovernor("allow", tls=_imposter(tmp_path)))
        parent = running.enter_context(ParentProxy(resolve={NAME: "127.0.0.1"}))
        chosen = settings(files, parent, imposter.port)
        if who == "library":
            said = Program(tmp_path).run(CALL, **chosen)
        else:
            with Sidecar(tmp_path, **chosen) as sidecar:
                said = post(sidecar, origin, b"question").refusal["reason"]
        assert "TLS certificate not verified" in said
        assert imposter.questions() == []


def _imposter(folder: Path) -> tuple[str, str]:
    leaf = trustme.CA().issue_cert(NAME)
    leaf.private_key_pem.write_to_path(str(folder / "imposter.key"))
    (folder / "imposter.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    return str(folder / "imposter.pem"), str(folder / "imposter.key")


def test_the_library_ignores_the_ambient_variables(tmp_path: Path, files: dict[str, str]) -> None:
    """HTTPS_PROXY of the application's environment is not ours."""
    with governor(files) as service, ParentProxy() as ambient, ParentProxy(resolve={NAME: "127.0.0.1"}) as parent:
        chosen = settings(files, parent, service.port)
        every = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"), ambient.url)
        process: subprocess.Popen[str] = Program(tmp_path).start(CALL, **chosen, **every, NO_PROXY="*")
        out, err = process.communicate(timeout=60)
        assert out.strip() == "ran", err
        assert (ambient.connections, parent.connections) == (0, 1)
