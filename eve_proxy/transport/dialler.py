"""The only way out: takes a ``Permit``, never a request (architecture.md, law 3).

It connects to the addresses that were judged and to nothing else; it has no resolver, and no name ever reaches a
socket call. One dialler goes one way: directly, or through the parent proxy (``diallers.py``). A permit for another way
is a defect of ours, and nothing is dialled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IReactorTime, ITransport

from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.model.decision import Mode, Permit
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.outgoing import OutgoingExchange
from eve_proxy.transport.own_ends import End, OwnEnds
from eve_proxy.transport.pool import Pool
from eve_proxy.transport.racing import STAGGER, Dial, Race, tcp
from eve_proxy.transport.tunnel_end import Heard, TunnelEnd
from eve_proxy.transport.upstream import Receiver, UpstreamConnection
from eve_proxy.transport.warm import WarmConnections

# Sending these twice does what sending them once does (RFC 9110 section 9.2.2).
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
_LOOP: Final = "the destination is this proxy itself"
_STOPPING: Final = "the proxy is shutting down"

# What a permit without addresses leads to, and the key of its connections: the parent proxy's choice.
_UNRESOLVED: Final = (None,)

Failed = Callable[[UpstreamFailed], object]
# Where a connection leads; None: the parent proxy chooses.
Target = IPAddress | None
Reach = Callable[[Authority], Dial[Target]]


class WrongWay(AssertionError):
    """A permit was given to a dialler that does not go its way: a defect of ours. Nothing was dialled."""


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
    :param ends: our outgoing connections, shared by all that dials: what came back to us is known by them.
    :param stall: seconds without a byte inside a response that the client is ready to read.
    :param stagger: seconds after which a further address is tried beside the one before.
    :param via: the parent proxy that its permits lead through; None: directly.
    :param reach: the ways to an authority: through ``via``.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        pool: Pool[UpstreamConnection],
        clock: IReactorTime,
        timeout: float,
        ends: OwnEnds,
        stall: float = 900.0,
        stagger: float = STAGGER,
        via: str | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.counts = DialCounts()
        self._via = via
        self._reach = partial(_directly, reactor) if reach is None else reach
        self._warm = WarmConnections(pool, clock)
        self._clock = clock
        self._timeout = timeout
        self._stall = stall
        self._stagger = stagger
        self._ends = ends
        self._races: dict[Race[Target], Failed] = {}

    def exchange(
        self, permit: Permit, head: bytes, body: Sequence[bytes], *, method: str, receiver: Receiver
    ) -> OutgoingExchange:
        """Send one request and have ``receiver`` told what comes back.

        :param head: the serialised request head.
        :param body: its bytes; any framing is applied already.
        :returns: the handle to pause, resume and abort it. ``receiver`` may have been called before it returns.
        :raises PermitSpent: the permit was used before; nothing was dialled.
        :raises WrongWay: it leads another way; nothing was dialled.
        """
        self._claim(permit)
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
        connection = self._warm.take(permit.authority, permit.addresses or _UNRESOLVED, retriable=retriable)
        if connection is None:
            self._connect(permit, exchange)
        else:
            self.counts.reused += 1
            permit.ticket.dialled = connection.address
            exchange.use(connection)
        return exchange

    def tunnel(self, permit: Permit, heard: Heard) -> Deferred[ITransport]:
        """Connect and give back the transport, not reading yet; it belongs to the caller.

        Cancelling the Deferred stops the attempt.

        :param heard: gets what the origin said before anybody reads, which only a way through a proxy brings along;
            before the Deferred fires, or after it and before the transport has another protocol.
        :raises PermitSpent: the permit was used before; nothing was dialled.
        :raises WrongWay: it leads another way; nothing was dialled.
        :errback UpstreamFailed: no address could be reached.
        """
        self._claim(permit)
        result: Deferred[ITransport] = Deferred(lambda _: self._cancel(race))

        def made(transport: ITransport) -> None:
            if self._admit(race, transport):
                result.callback(transport)
            else:
                result.errback(UpstreamFailed(_LOOP))

        race = self._race(permit, lambda _: TunnelEnd(made, heard), result.errback)
        self._start(race)
        return result

    def is_own(self, peer: End, listener: End, meant: End | None = None) -> bool:
        """Whether an incoming connection, from ``peer`` to ``listener``, is one of our own outgoing ones."""
        return self._ends.is_own(peer, listener, meant)

    def close(self) -> None:
        """Stop: fail what is under way, close what is idle. Whatever is asked for later fails."""
        self._warm.close(UpstreamFailed(_STOPPING))
        races, self._races = self._races, {}
        for race, failed in races.items():
            race.cancel()
            failed(UpstreamFailed(_STOPPING))

    # -- connecting --------------------------------------------------------------------------------------------

    def _claim(self, permit: Permit) -> None:
        """Use the permit up, if it leads this way: before anything is dialled, and before anything is used again."""
        if permit.via != self._via or not (permit.addresses or permit.via):
            raise WrongWay("this permit leads another way")
        permit.ticket.take()

    def _connect(self, permit: Permit, exchange: OutgoingExchange) -> None:
        def made(connection: UpstreamConnection) -> None:
            if self._admit(race, connection.transport):
                self._warm.enter(connection)
                exchange.connected(connection)
            else:
                exchange.fail(UpstreamFailed(_LOOP))

        def build(address: Target) -> UpstreamConnection:
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

    def _race(self, permit: Permit, build: Callable[[Target], IProtocol], failed: Failed) -> Race[Target]:
        def won(address: Target) -> IProtocol:
            self._races.pop(race, None)
            permit.ticket.dialled = address
            return build(address)

        def lost_all(error: UpstreamFailed) -> None:
            self._races.pop(race, None)
            failed(error)

        race = Race(
            permit.addresses or _UNRESOLVED,
            self._reach(permit.authority),
            clock=self._clock,
            build=won,
            failed=lost_all,
            closed=lambda: self._ends.leave(race),
            timeout=self._timeout,
            stagger=self._stagger,
        )
        self._races[race] = failed
        return race

    def _start(self, race: Race[Target]) -> None:
        if self._warm.closed:
            self._races.pop(race)(UpstreamFailed(_STOPPING))
        else:
            self.counts.dialled += 1
            race.start()

    def _cancel(self, race: Race[Target]) -> None:
        if self._races.pop(race, None) is not None:
            race.cancel()

    def _admit(self, race: Race[Target], transport: Any) -> bool:
        if self._ends.enter(race, transport):
            return True
        self.counts.loops += 1
        transport.abortConnection()
        return False


def _directly(reactor: Any, authority: Authority) -> Dial[Target]:
    """To a judged address itself."""
    return cast(Dial[Target], tcp(reactor, authority.port))
