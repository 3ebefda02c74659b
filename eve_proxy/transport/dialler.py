"""The only way out: takes a ``Permit``, never a request (architecture.md, law 3).

It connects to the addresses that were judged and to nothing else; it has no resolver, and no name ever reaches a
socket call.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IReactorTime, ITransport
from twisted.internet.protocol import Protocol

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.decision import Mode, Permit
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.outgoing import OutgoingExchange
from eve_proxy.transport.own_ends import End, OwnEnds
from eve_proxy.transport.pool import Pool
from eve_proxy.transport.racing import STAGGER, Race, tcp
from eve_proxy.transport.sending import set_nodelay
from eve_proxy.transport.upstream import Receiver, UpstreamConnection
from eve_proxy.transport.warm import WarmConnections

# Sending these twice does what sending them once does (RFC 9110 section 9.2.2).
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
_LOOP: Final = "the destination is this proxy itself"
_STOPPING: Final = "the proxy is shutting down"

Failed = Callable[[UpstreamFailed], object]


@dataclass(slots=True)
class DialCounts:
    """What happened so far, for metrics and tests."""

    dialled: int = 0
    reused: int = 0
    redialled: int = 0
    loops: int = 0


class Dialler:
    """Opens exchanges and tunnels.

    :param reactor: dials (``IReactorTCP``).
    :param clock: tells the time; in the daemon the same reactor.
    :param pool: idle connections.
    :param timeout: EVE_PROXY_UPSTREAM_TIMEOUT, seconds: to connect, and again from there to the response head.
    :param own_ports: ports that this process listens on; may grow after this is made.
    :param stall: seconds without a byte inside a response that the client is ready to read.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        pool: Pool[UpstreamConnection],
        clock: IReactorTime,
        timeout: float,
        own_ports: Container[int] = (),
        stall: float = 900.0,
        stagger: float = STAGGER,
    ) -> None:
        self.counts = DialCounts()
        self._reactor = reactor
        self._warm = WarmConnections(pool, clock)
        self._clock = clock
        self._timeout = timeout
        self._stall = stall
        self._stagger = stagger
        self._ends = OwnEnds(own_ports)
        self._races: dict[Race[IPAddress], Failed] = {}

    def exchange(
        self, permit: Permit, head: bytes, body: Sequence[bytes], *, method: str, receiver: Receiver
    ) -> OutgoingExchange:
        """Send one request and have ``receiver`` told what comes back.

        :param head: the serialised request head.
        :param body: its bytes; any framing is applied already.
        :returns: the handle to pause, resume and abort it. ``receiver`` may have been called before it returns.
        :raises PermitSpent: the permit was used before; nothing was dialled.
        """
        permit.ticket.take()
        retriable = method in IDEMPOTENT
        exchange = OutgoingExchange(
            head,
            body,
            method=method,
            websocket=permit.mode is Mode.UPGRADE,
            receiver=receiver,
            redial=partial(self._redial, permit),
            retriable=retriable,
        )
        connection = self._warm.take(permit.authority, permit.addresses, retriable=retriable)
        if connection is None:
            self._connect(permit, exchange)
        else:
            self.counts.reused += 1
            permit.ticket.dialled = connection.address
            exchange.use(connection)
        return exchange

    def tunnel(self, permit: Permit) -> Deferred[ITransport]:
        """Connect and give back the transport, not reading yet; it belongs to the caller.

        Cancelling the Deferred stops the attempt.

        :raises PermitSpent: the permit was used before; nothing was dialled.
        :errback UpstreamFailed: no address could be reached.
        """
        permit.ticket.take()
        result: Deferred[ITransport] = Deferred(lambda _: self._cancel(race))

        def made(transport: ITransport) -> None:
            if self._admit(race, transport):
                result.callback(transport)
            else:
                result.errback(UpstreamFailed(_LOOP))

        race = self._race(permit, lambda _: TunnelEnd(made), result.errback)
        self._start(race)
        return result

    def is_own(self, peer: End, listener: End) -> bool:
        """Whether an incoming connection, from ``peer`` to ``listener``, is one of our own outgoing ones."""
        return self._ends.is_own(peer, listener)

    def close(self) -> None:
        """Stop: fail what is under way, close what is idle. Whatever is asked for later fails."""
        self._warm.close(UpstreamFailed(_STOPPING))
        races, self._races = self._races, {}
        for race, failed in races.items():
            race.cancel()
            failed(UpstreamFailed(_STOPPING))

    # -- connecting --------------------------------------------------------------------------------------------

    def _connect(self, permit: Permit, exchange: OutgoingExchange) -> None:
        def made(connection: UpstreamConnection) -> None:
            if self._admit(race, connection.transport):
                self._warm.enter(connection)
                exchange.connected(connection)
            else:
                exchange.fail(UpstreamFailed(_LOOP))

        def build(address: IPAddress) -> UpstreamConnection:
            return UpstreamConnection(
                permit.authority,
                address,
                clock=self._clock,
                timeout=self._timeout,
                stall=self._stall,
                made=made,
                released=self._warm.released,
                lost=self._warm.lost,
            )

        race = self._race(permit, build, exchange.fail)
        exchange.connecting(partial(self._cancel, race))
        self._start(race)

    def _redial(self, permit: Permit, exchange: OutgoingExchange) -> None:
        self.counts.redialled += 1
        self._connect(permit, exchange)

    def _race(self, permit: Permit, build: Callable[[IPAddress], IProtocol], failed: Failed) -> Race[IPAddress]:
        def won(address: IPAddress) -> IProtocol:
            self._races.pop(race, None)
            permit.ticket.dialled = address
            return build(address)

        def lost_all(error: UpstreamFailed) -> None:
            self._races.pop(race, None)
            failed(error)

        race = Race(
            permit.addresses,
            tcp(self._reactor, permit.authority.port),
            clock=self._clock,
            build=won,
            failed=lost_all,
            closed=lambda: self._ends.leave(race),
            timeout=self._timeout,
            stagger=self._stagger,
        )
        self._races[race] = failed
        return race

    def _start(self, race: Race[IPAddress]) -> None:
        if self._warm.closed:
            self._races.pop(race)(UpstreamFailed(_STOPPING))
        else:
            self.counts.dialled += 1
            race.start()

    def _cancel(self, race: Race[IPAddress]) -> None:
        if self._races.pop(race, None) is not None:
            race.cancel()

    def _admit(self, race: Race[IPAddress], transport: Any) -> bool:
        if self._ends.enter(race, transport):
            return True
        self.counts.loops += 1
        transport.abortConnection()
        return False


class TunnelEnd(Protocol):
    """Holds a connected transport until the relay takes it over; nothing is read in between."""

    transport: Any

    def __init__(self, made: Callable[[ITransport], object]) -> None:
        self._made = made

    def connectionMade(self) -> None:
        """Give the transport away, paused."""
        self.transport.pauseProducing()
        set_nodelay(self.transport)
        self._made(self.transport)
