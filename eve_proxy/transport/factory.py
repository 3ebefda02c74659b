"""Accepts client connections within their bound, and lets them finish when the daemon stops."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from typing import Protocol as Structural

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Connection

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.transport.body_source import IncomingBody
from eve_proxy.transport.downstream import Downstream
from eve_proxy.transport.limits import BufferAccount, Limits
from eve_proxy.transport.locality import is_own_address
from eve_proxy.transport.redirected import original_destination
from eve_proxy.transport.relay import Relay
from eve_proxy.transport.way_out import WayOut
from eve_proxy.wire.client_hello import Seen
from eve_proxy.wire.events import Framing, FramingKind, RequestHead
from eve_proxy.wire.machine import State


class Site(Structural):
    """Where requests go (``enforcement/``)."""

    def begin(self, client: Downstream, head: RequestHead) -> None:
        """A request's head is there; its body is ``client.body``. Ends in exactly one call to the client."""

    def malformed(self, client: Downstream, error: Malformed) -> bytes:
        """The answer to bytes that are no request."""

    def overloaded(self, client: Downstream) -> None:
        """A connection is one too many. Ends in ``client.turn_away``."""

    def redirected(self, client: Downstream, seen: Seen, held: bytes) -> None:
        """A redirected connection begins with something else than HTTP. Ends in exactly one call to the client."""


class ProxyFactory(ServerFactory):
    """Builds one ``Downstream`` per connection.

    :param default_authority: whom an HTTP/1.0 request without Host and without a target authority addresses: us.
    :ivar accepted: connections so far; ``turned_away``: those that were too many.
    :ivar relays: tunnels that are open; ``relayed``: how many there were so far.
    :ivar draining: connections end with the exchange they are in; those that come now are ``late``.
    """

    protocol = Downstream
    noisy = False

    def __init__(
        self,
        site: Site,
        *,
        dialler: WayOut,
        limits: Limits,
        account: BufferAccount,
        clock: IReactorTime,
        default_authority: Authority,
    ) -> None:
        self.site = site
        self.dialler = dialler
        self.limits = limits
        self.account = account
        self.clock = clock
        self.default_authority = default_authority
        self.draining = False
        self.accepted = self.turned_away = self.relayed = 0
        self.relays: set[Relay] = set()
        self._connections: set[Downstream] = set()
        self._late: set[Downstream] = set()
        self._awaited: set[Downstream] = set()
        self._emptied: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Downstream:
        """A protocol for a new connection."""
        return Downstream(self)

    def incoming_body(self, framing: Framing, invite: Callable[[], object]) -> IncomingBody:
        """A body that begins to arrive.

        :param invite: as ``IncomingBody``.
        """
        return IncomingBody(
            declared=framing.length if framing.kind is FramingKind.LENGTH else None,
            limit=self.limits.max_body,
            account=self.account,
            invite=invite,
        )

    def original_destination(self, transport: Any) -> Authority | None:
        """Where a connection was going before it was redirected to us, or None."""
        return original_destination(transport.socket) if isinstance(transport, Connection) else None

    def local_name(self, peer: str) -> str:
        """``peer``, or loopback for another address of this machine: a redirected local client comes from one."""
        address = ip_address(peer.removeprefix("::ffff:"))
        if not is_own_address(address):
            return str(address)
        return "127.0.0.1" if address.version == 4 else "::1"

    @property
    def connections(self) -> int:
        """Open client connections, tunnels included."""
        return len(self._connections) + len(self._late)

    def entered(self, connection: Downstream) -> bool:
        """Count a connection; False when it is one too many and must be turned away."""
        connection.late = self.draining
        (self._late if self.draining else self._connections).add(connection)
        self.accepted += 1
        admitted = self.connections <= self.limits.max_connections
        if not admitted:
            self.turned_away += 1
        return admitted

    def left(self, connection: Downstream) -> None:
        """The connection is closed."""
        self._connections.discard(connection)
        self._late.discard(connection)
        if self._emptied is not None and not self._awaited:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def drain(self) -> Deferred[None]:
        """Take no further request; fires when every connection that was open by now is closed.

        While it goes on, new connections are served for the sake of their health probes.
        """
        self.draining = True
        return self._end(self._connections, (State.IDLE,))

    def dismiss(self) -> Deferred[None]:
        """After the drain, when nobody can connect any more: end the late connections; fires when they are closed."""
        return self._end(self._late, (State.IDLE, State.READING))

    def _end(self, connections: set[Downstream], without_request: tuple[State, ...]) -> Deferred[None]:
        for connection in list(connections):
            if connection.machine.state in without_request:
                connection.finish()
        if not connections:
            return succeed(None)
        self._awaited, self._emptied = connections, Deferred()
        return self._emptied

    def abort_all(self) -> None:
        """Reset what is still open."""
        for connection in [*self._connections, *self._late]:
            connection.abort()
