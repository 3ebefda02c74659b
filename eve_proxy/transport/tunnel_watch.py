"""A permitted tunnel whose first bytes are looked at before anything travels in it.

Looking changes nothing: what the client sends is held as it came until it is known what it is. Not one byte of it goes
upstream before the site has said ``carry_on``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from eve_proxy.transport.delivery import Outcome
from eve_proxy.transport.handing_over import give_to
from eve_proxy.transport.relay_account import Ending, Side
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.wire.client_hello import ClientHelloReader, NotTls, Seen
from eve_proxy.wire.machine import Event

if TYPE_CHECKING:
    from eve_proxy.transport.downstream import Downstream

SILENT = NotTls(reason="no complete ClientHello in time")
ENDED = NotTls(reason="the client closed before its ClientHello was complete")
SERVER_SPOKE = NotTls(reason="the server spoke first")
SERVER_ENDED = NotTls(reason="the server closed first")


class WatchedOpening(TunnelOpening):
    """Dials, says that the tunnel is open, and finds out what it is for.

    :param lenient: the tunnel will be relayed whatever it shows. Then looking must not hold up a client that waits
        for its server to speak, or that has nothing to say.
    :ivar seen: fires with what the tunnel showed; ``carry_on`` or ``sever`` must follow. With None when there is
        nothing more to do: the outcome was told why.
    """

    def __init__(self, client: Downstream, established: bytes, outcome: Outcome, *, lenient: bool) -> None:
        super().__init__(client, established, outcome)
        self.seen: Deferred[Seen | None] = Deferred()
        self._lenient = lenient
        self._reader = ClientHelloReader()
        self._upstream: Any = None
        self._known = self._settled = False

    # -- what the site says ------------------------------------------------------------------------------------

    @property
    def held(self) -> bytes:
        """What the client has sent into the tunnel so far."""
        return self._reader.held

    def carry_on(self) -> None:
        """Relay, what was held first."""
        if not self._settled:
            self._settled = True
            self._client.relay(
                Event.TUNNEL_CLEARED,
                self._upstream,
                self._outcome,
                to_downstream=self._from_server,
                held=self.held,
            )

    def sever(self, last: bytes) -> None:
        """Reset the upstream, which has got nothing, and end the client's connection.

        :param last: what the client gets to read.
        """
        if not self._settled:
            self._drop(Ending.SEVERED, Side.PROXY)
            self._client.sever_tunnel(Event.REFUSED, last)

    # -- what happens to the client's connection ---------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes for the tunnel."""
        seen = self._reader.feed(data)
        if seen is not None:
            self._knows(seen)

    def input_ended(self) -> None:
        """The client will send no more."""
        if self._lenient or self.held:
            self._knows(ENDED)
        elif not self._known:
            # Opened ahead of need, or given up: nothing was asked to travel, so that nothing is refused.
            self._withdraw()
            self._client.sever_tunnel(Event.WITHDRAWN, b"")

    def expired(self) -> None:
        """The client has had its time."""
        self._knows(SILENT)

    def abandon(self, detail: str) -> None:
        """Nobody is left to open a tunnel for."""
        if self._upstream is None:
            super().abandon(detail)
            self._nothing_to_do()
        elif not self._known:
            self._withdraw()
        elif not self._settled:
            self._drop(Ending.ABANDONED, Side.DOWNSTREAM)

    # -- what happens upstream ---------------------------------------------------------------------------------

    def server_first(self, data: bytes) -> None:
        """The server did not wait for the client, as servers of TLS do. Without data: it closed."""
        self._from_server += data
        self._knows(SERVER_SPOKE if data else SERVER_ENDED)

    def _connected(self, upstream: Any) -> None:
        self._upstream = upstream
        if self._lenient:
            give_to(_FirstWord(self, upstream), upstream)
            if not self._from_server:
                upstream.resumeProducing()
        self._client.hold_tunnel(self, self._established)
        if self._lenient and self._from_server:
            self._knows(SERVER_SPOKE)

    def _failed(self, failure: Failure) -> None:
        if not self._gone:
            super()._failed(failure)
            self._nothing_to_do()

    # -- parts -------------------------------------------------------------------------------------------------

    def _knows(self, seen: Seen) -> None:
        if self._known:
            return
        self._known = True
        self.seen.callback(seen)
        if not self._settled:
            # The site is writing a refusal down. What else the client sends can wait for that.
            self._client.pause_reading()

    def _withdraw(self) -> None:
        self._outcome.answered(200)
        self._drop(Ending.ABANDONED, Side.DOWNSTREAM)
        self._nothing_to_do()

    def _drop(self, ending: Ending, by: Side) -> None:
        self._settled = True
        self._upstream.abortConnection()
        self._outcome.ended(ending, by, to_downstream=0, to_upstream=0)

    def _nothing_to_do(self) -> None:
        self._known = self._settled = True
        self.seen.callback(None)


@implementer(IHalfCloseableProtocol)
class _FirstWord(Protocol):
    """Hears whether the server speaks, or closes, before the client; then the relay takes its place."""

    def __init__(self, opening: WatchedOpening, upstream: Any) -> None:
        self._opening = opening
        self._upstream = upstream

    def dataReceived(self, data: bytes) -> None:
        self._upstream.pauseProducing()
        self._opening.server_first(data)

    def readConnectionLost(self) -> None:
        self._opening.server_first(b"")

    def writeConnectionLost(self) -> None:
        """Nothing was closed by us."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._opening.server_first(b"")
