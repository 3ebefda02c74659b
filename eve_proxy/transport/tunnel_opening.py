"""A permitted tunnel until its upstream is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from eve_proxy.model.decision import Permit
from eve_proxy.transport.delivery import Outcome
from eve_proxy.transport.sending import send
from eve_proxy.wire.machine import Event

if TYPE_CHECKING:
    from eve_proxy.transport.downstream import Downstream
    from eve_proxy.transport.way_out import WayOut


class TunnelOpening:
    """Dials; then the client relays, or is told that there is no upstream.

    :param established: the 200 with its certificate; empty for a client that does not know of a proxy.
    :param held: what the client has sent for the tunnel already; None where that is still in its request reader.
    """

    def __init__(self, client: Downstream, established: bytes, outcome: Outcome, *, held: bytes | None = None) -> None:
        self._client = client
        self._established = established
        self._outcome = outcome
        self._held = held
        self._from_server = b""
        self._dialling: Deferred[Any] | None = None
        self._gone = False

    def start(self, dialler: WayOut, permit: Permit) -> None:
        """Dial."""
        self._dialling = dialler.tunnel(permit, self._server_said)
        self._dialling.addCallbacks(self._opened, self._failed)

    def abandon(self, detail: str) -> None:
        """Nobody waits any more: stop dialling."""
        self._gone = True
        self._outcome.abandoned(detail)
        if self._dialling is not None:
            self._dialling.cancel()

    def client_gone(self) -> None:
        """The client's connection is lost."""
        self.abandon("the client went away before the tunnel was open")

    def _opened(self, upstream: Any) -> None:
        if self._gone:
            upstream.abortConnection()
        else:
            self._connected(upstream)

    def _connected(self, upstream: Any) -> None:
        self._outcome.answered(200)
        if self._established:
            send(self._client.transport, self._established)
        self._client.relay(
            Event.TUNNEL_OPENED, upstream, self._outcome, to_downstream=self._from_server, held=self._held
        )

    def _server_said(self, data: bytes) -> None:
        """The server did not wait to be read: a parent proxy sent its first words along."""
        self._from_server += data

    def _failed(self, failure: Failure) -> None:
        if not self._gone:
            self._client.upstream_failed(self._outcome.failed(failure.getErrorMessage()))
