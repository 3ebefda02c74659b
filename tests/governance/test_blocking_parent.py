"""A tunnel through the parent proxy, in a thread: opened, or a reason why it was not. Socket pairs are the network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.governance import blocking_parent
from eve_proxy.governance.blocking_parent import BlockingParent, load_parent_context
from eve_proxy.model.authority import parse_authority
from eve_proxy.model.errors import GovernorUnavailable
from eve_proxy.policy.parent_address import parse_parent_url

SERVICE = parse_authority("governor.example:443", None)
PREFIX = "governance service: parent proxy p.example:3128: "
Play = Callable[..., bytes]


class NoDelay(socket.socket):
    """A Unix socket takes no TCP option."""

    def setsockopt(self, *_: Any) -> None:  # type: ignore[override]
        pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Opens a tunnel through a proxy that says ``answer``; the tunnel, and what the proxy was asked."""
    ours: list[socket.socket] = []

    def open_(answer: bytes, authorization: bytes | None = None, *, close: bool = True) -> tuple[Any, bytes]:
        near, far = socket.socketpair()
        connection = NoDelay(near.family, near.type, fileno=near.detach())
        ours.extend((connection, far))
        monkeypatch.setattr(blocking_parent, "dial_first", lambda authority, left: connection)
        asked: list[bytes] = []

        def play() -> None:
            asked.append(far.recv(65536))
            far.sendall(answer)
            if close:
                far.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        parent = BlockingParent(parse_parent_url("http://p.example:3128"), tls=None, authorization=authorization)
        try:
            tunnel = parent.open(SERVICE, lambda: 0.5)
        finally:
            thread.join(10)
        return tunnel, asked[0]

    yield open_
    for each in ours:
        each.close()


def test_opened(opened: Any) -> None:
    """The service's name is asked for, with our credentials; the socket is the tunnel from then on."""
    tunnel, asked = opened(b"HTTP/1.1 200 OK\r\n\r\n", b"Basic eA==")
    assert asked == (
        b"CONNECT governor.example:443 HTTP/1.1\r\nHost: governor.example:443\r\n"
        b"Proxy-Authorization: Basic eA==\r\n\r\n"
    )
    assert tunnel.recv(1) == b""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 No\r\n\r\n<page>", "refused CONNECT with status 403"),
        (b"HTTP/1.1 407 No\r\n\r\n", "asks for credentials (status 407)"),
        (b"SSH-2.0-x\r\n\r\n", "its answer to CONNECT is malformed"),
        (b"HTTP/1.1 200 ", "closed the connection before it answered CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "sent more than its answer to CONNECT"),
    ],
)
def test_refused(opened: Any, answer: bytes, said: str) -> None:
    """The reason names the proxy; its page is not repeated, and the connection is closed."""
    with pytest.raises(GovernorUnavailable) as caught:
        opened(answer)
    assert str(caught.value).startswith(PREFIX + said)
    assert "page" not in str(caught.value)


def test_wrong_credentials(opened: Any) -> None:
    """Which file to look at, and nothing of what is in it."""
    with pytest.raises(GovernorUnavailable, match="does not accept our credentials") as caught:
        opened(b"HTTP/1.1 407 No\r\n\r\n", b"Basic eA==")
    assert "EVE_PROXY_GOVERNANCE_PROXY_CREDENTIALS_FILE" in str(caught.value)
    assert "eA==" not in str(caught.value)


def test_silence(opened: Any) -> None:
    """A proxy that says nothing has as long as the question has."""
    with pytest.raises(GovernorUnavailable, match="no connection in time"):
        opened(b"", close=False)


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is down is named; nothing else is tried."""

    def refused(*_: Any) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(blocking_parent, "dial_first", refused)
    parent = BlockingParent(parse_parent_url("http://p.example:3128"), tls=None, authorization=None)
    with pytest.raises(GovernorUnavailable, match="Connection refused"):
        parent.open(SERVICE, lambda: 1.0)


def test_tls_settings(tmp_path: Path) -> None:
    """They belong to https, and roots that cannot be used are named by their variable."""
    with pytest.raises(ValueError, match="TLS settings"):
        BlockingParent(parse_parent_url("https://p.example:3128"), tls=None, authorization=None)
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ValueError, match="EVE_PROXY_GOVERNANCE_PROXY_CA"):
        load_parent_context(tmp_path / "ca.pem")
