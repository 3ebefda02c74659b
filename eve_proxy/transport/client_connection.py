"""What every client connection can do, whatever it carries: be severed, paused, reset, and become a tunnel.

Its requests are ``downstream.py``. The state is ``wire/machine.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.protocol import Protocol

from eve_proxy.model.decision import Permit
from eve_proxy.transport.body_source import IncomingBody
from eve_proxy.transport.delivery import Delivery, Outcome
from eve_proxy.transport.lingering import linger
from eve_proxy.transport.redirected import Arrival
from eve_proxy.transport.relay import Relay, RelayReport, relay
from eve_proxy.transport.sending import send
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.transport.tunnel_watch import WatchedOpening
from eve_proxy.transport.watchdog import Watchdog
from eve_proxy.wire.machine import Event, Machine, State
from eve_proxy.wire.request_reader import RequestReader

if TYPE_CHECKING:
    from eve_proxy.transport.factory import ProxyFactory

DISCARDING: Final = (State.SEVERING, State.CLOSED)


class ClientConnection(Protocol):
    """The socket of one client.

    :param expired: called when a wait has been too long.
    :ivar peer: the client's address as text; ``unix`` for a Unix socket.
    :ivar late: it came while the daemon was stopping already: only health is answered.
    :ivar body: the body of the request that is being decided.
    """

    transport: Any

    def __init__(self, factory: ProxyFactory, expired: Callable[[], object]) -> None:
        self.factory = factory
        self.peer = "unix"
        self.peer_port = 0
        self.late = False
        self.machine = Machine()
        self.body: IncomingBody | None = None
        self._reader = RequestReader(default_authority=factory.default_authority)
        self._watchdog = Watchdog(factory.clock, expired)
        self._delivery: Delivery | TunnelOpening | None = None
        self._watched: WatchedOpening | Arrival | None = None
        self._relay: Relay | None = None
        self._reading_paused = False
        self._half_closed = False

    @property
    def gone(self) -> bool:
        """There is nobody to answer any more."""
        return self.machine.state in DISCARDING

    def abort(self) -> None:
        """Reset the connection: there is no answer that the client should read."""
        self.machine.fire(Event.PEER_GONE)
        self.transport.abortConnection()

    def finish(self) -> None:
        """Close a connection in which no request is under way."""
        self.machine.fire(Event.SHUTDOWN)
        self.transport.loseConnection()

    def turn_away(self, answer: bytes) -> bool:
        """Answer a connection that is one too many, unread, and sever; False when it is gone already."""
        waited = self.machine.state is State.SEVERING
        if waited:
            self._sever(answer)
        return waited

    def pause_reading(self) -> None:
        """Enough was read: what else the client sends can wait."""
        self._reading_paused = True
        self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()

    def _sever(self, answer: bytes) -> None:
        """Write, half-close, discard input, close when the client does or the linger timer ends."""
        if answer:
            send(self.transport, answer)
        self._resume_reading()
        if self.body is not None:
            self.body.release()
        linger(self.transport, self._watchdog, self.factory.limits, half_closed=lambda: self._half_closed)

    # -- tunnels -----------------------------------------------------------------------------------------------

    def tunnel(self, permit: Permit, opening: TunnelOpening) -> None:
        """Connect; ``opening`` goes on from there."""
        if self.gone:
            opening.abandon("the client went away before the decision")
            return
        self.machine.fire(Event.PERMIT_TUNNEL)
        self._watchdog.clear()
        self._delivery = opening
        opening.start(self.factory.dialler, permit)

    def hold_tunnel(self, watched: WatchedOpening, established: bytes) -> None:
        """Say so; what the client sends, and has sent, goes to ``watched``, for as long as a head may take."""
        self._watched = watched
        self.machine.fire(Event.TUNNEL_HELD)
        self._watchdog.set(self.factory.limits.head)
        send(self.transport, established)
        self._resume_reading()
        watched.received(self._reader.take_rest())
        if self._half_closed:
            watched.input_ended()

    def sever_tunnel(self, event: Event, last: bytes) -> None:
        """End a tunnel in which nothing has travelled."""
        self._watched = self._delivery = None
        self.machine.fire(event)
        self._sever(last)

    def relay(
        self, event: Event, upstream: Any, outcome: Outcome, *, to_downstream: bytes = b"", held: bytes | None = None
    ) -> None:
        """Bytes go both ways unread from now on, these first.

        :param held: what the client sent into the tunnel; None when it was not looked at.
        """
        self._watched = self._delivery = None
        self.machine.fire(event)
        self._watchdog.stop()
        if self.body is not None:
            self.body.release()
        self.factory.relayed += 1
        made = relay(
            self.transport,
            upstream,
            to_upstream=self._reader.take_rest() if held is None else held,
            to_downstream=to_downstream,
            idle_timeout=self.factory.limits.stall,
            clock=self.factory.clock,
            closed=lambda report: self._relay_closed(report, outcome),
        )
        if self.machine.state is not State.CLOSED:  # it may be over already
            self._relay = made
            self.factory.relays.add(made)

    def _relay_closed(self, report: RelayReport, outcome: Outcome) -> None:
        self.machine.fire(Event.PEER_GONE)
        up, down = report.to_upstream, report.to_downstream
        if self._relay is not None:
            self.factory.relays.discard(self._relay)  # its bytes are the outcome's from here on
        outcome.ended(report.ending, report.ended_by, to_downstream=down, to_upstream=up)
        self.factory.left(self)
