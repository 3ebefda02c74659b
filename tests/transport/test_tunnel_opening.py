"""A tunnel between its permit and its 200."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from eve_proxy.model.decision import Mode
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.wire.machine import Event
from tests.transport.bench import ClientTransport, HeardOutcome, permit_of


class Client:
    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.transport = ClientTransport()

    def relay(self, event: Event, upstream: Any, outcome: Any, *, to_downstream: bytes, held: bytes | None) -> None:
        self.heard.append((event, upstream, outcome, self.transport.value() + to_downstream))

    def upstream_failed(self, answer: bytes | None) -> None:
        self.heard.append(("failed", answer))


class Dialler:
    def __init__(self, *, stubborn: bool = False) -> None:
        self.cancelled = 0
        self.result: Deferred[Any] = Deferred(self._cancel)
        self._stubborn = stubborn

    def tunnel(self, permit: Any, heard: Any) -> Deferred[Any]:
        self.heard = heard
        return self.result

    def _cancel(self, result: Deferred[Any]) -> None:
        self.cancelled += 1
        if self._stubborn:
            result.callback(ClientTransport())


def begun(dialler: Dialler) -> tuple[Client, HeardOutcome, TunnelOpening]:
    client, outcome = Client(), HeardOutcome()
    opening = TunnelOpening(client, b"200", outcome)  # type: ignore[arg-type]
    opening.start(dialler, permit_of(Mode.TUNNEL))  # type: ignore[arg-type]
    return client, outcome, opening


def test_connected() -> None:
    """The client relays, and the log says 200."""
    dialler = Dialler()
    client, outcome, _ = begun(dialler)
    dialler.result.callback("upstream")
    assert client.heard == [(Event.TUNNEL_OPENED, "upstream", outcome, b"200")]
    assert outcome.heard == [200]


def test_what_the_server_said_meanwhile() -> None:
    """What a parent proxy sends along with its 200 goes to the client, after our own 200."""
    dialler = Dialler()
    client, _, _ = begun(dialler)
    dialler.heard(b"220 ")
    dialler.heard(b"ready")
    dialler.result.callback("upstream")
    assert client.heard[0][3] == b"200220 ready"


def test_failed() -> None:
    """The client gets the 502."""
    dialler = Dialler()
    client, outcome, _ = begun(dialler)
    dialler.result.errback(Exception("connection refused"))
    assert client.heard == [("failed", b"upstream error: connection refused")]
    assert outcome.heard == ["connection refused"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_nobody_is_dialled_for_a_client_that_left(stubborn: bool) -> None:
    """The attempt stops with the client; a connection that comes all the same is reset."""
    dialler = Dialler(stubborn=stubborn)
    client, outcome, opening = begun(dialler)
    upstreams: list[Any] = []
    opening.client_gone()
    dialler.result.addCallbacks(upstreams.append, lambda failure: failure.trap(CancelledError))
    assert dialler.cancelled == 1
    assert client.heard == []
    assert outcome.heard == [("abandoned", "the client went away before the tunnel was open")]


def test_a_connection_that_came_too_late_is_reset() -> None:
    """It does not stay open without anybody at its other end."""
    dialler = Dialler(stubborn=True)
    late = ClientTransport()
    dialler._cancel = lambda result: result.callback(late)  # type: ignore[method-assign]
    dialler.result = Deferred(dialler._cancel)
    _, _, opening = begun(dialler)
    opening.client_gone()
    assert late.events == ["abort"]
