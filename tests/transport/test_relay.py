"""Which relay serves which pair; what they do is in tests/conformance/test_relays.py."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from eve_proxy.transport import relay as module


class Fake:
    """Either implementation."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.started: dict[str, bytes] = {}

    def start(self, **waiting: bytes) -> None:
        self.started = waiting


class FakeSplice(Fake):
    pass


class FakeProducer(Fake):
    pass


@pytest.mark.parametrize(
    ("down", "up", "kind"),
    [(True, True, FakeSplice), (True, False, FakeProducer), (False, True, FakeProducer), (False, False, FakeProducer)],
)
def test_the_kernel_needs_two_plain_sockets(
    monkeypatch: pytest.MonkeyPatch, down: bool, up: bool, kind: type[Fake]
) -> None:
    """One side with TLS is enough to relay the ordinary way."""
    plain = {"down": down, "up": up}
    monkeypatch.setattr(module, "can_splice", lambda transport: plain[transport])
    monkeypatch.setattr(module, "SpliceRelay", FakeSplice)
    monkeypatch.setattr(module, "ProducerRelay", FakeProducer)
    made: Any = module.relay(
        "down", "up", to_upstream=b"a", to_downstream=b"b", idle_timeout=1.0, clock=Clock(), closed=print
    )
    assert type(made) is kind
    assert made.started == {"to_upstream": b"a", "to_downstream": b"b"}


def test_other_transports_work() -> None:
    """Any pair of transports can be joined."""
    down, up = StringTransport(), StringTransport()
    module.relay(down, up, to_upstream=b"a", to_downstream=b"b", idle_timeout=1.0, clock=Clock(), closed=print)
    assert (up.value(), down.value()) == (b"a", b"b")
