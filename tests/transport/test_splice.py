"""Which connections the kernel may serve; how it does is in tests/conformance/test_relays.py."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from eve_proxy.transport.splice import can_splice


class Socket:
    """A descriptor number without a socket."""

    def setblocking(self, flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return 99


def connection() -> Any:
    made: Any = Connection(Socket(), Protocol(), EPollReactor.__new__(EPollReactor))  # type: ignore[arg-type]
    made.connected = 1
    return made


def test_a_plain_quiet_connection() -> None:
    """The usual tunnel is moved by the kernel."""
    assert can_splice(connection())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TLS", True),
        ("connected", 0),
        ("disconnecting", 1),
        ("_writeDisconnecting", True),
        ("_aborting", True),
        ("_tempDataLen", 5),
        ("dataBuffer", b"x"),
        ("producer", object()),
        ("reactor", MemoryReactor()),
    ],
)
def test_anything_else_is_relayed(name: str, value: object) -> None:
    """TLS, queued bytes, a close under way, a producer, another reactor: nothing of that is bypassed."""
    made = connection()
    setattr(made, name, value)
    assert not can_splice(made)


def test_other_transports_are_relayed() -> None:
    """So is whatever is no socket."""
    assert not can_splice(StringTransport())


def test_tls_on_top_of_a_socket_is_relayed() -> None:
    """A tunnel through an https parent proxy: the socket below carries TLS records, not the tunnel's bytes."""
    wrapper: Any = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
    wrapper.makeConnection(connection())
    assert not can_splice(wrapper)
