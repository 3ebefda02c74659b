"""Connections that exist: carries out the pool's plan and ends everything at shutdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.pool import Pool
from eve_proxy.transport.sending import still_open
from eve_proxy.transport.upstream import UpstreamConnection

# The reactor notices the end of a connection that was just in use. One that was idle for longer is looked at before
# it gets a request that must not be sent twice.
_TRUSTED_FOR: Final = 1.0


class WarmConnections:
    """Every open connection of one owner, the idle ones in its pool.

    :param clock: for the age of idle connections; one timer serves all of them.
    :param look: whether an idle connection's peer is still there.
    """

    def __init__(
        self,
        pool: Pool[UpstreamConnection],
        clock: IReactorTime,
        *,
        look: Callable[[UpstreamConnection], bool] = lambda connection: still_open(connection.transport),
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._seconds = clock.seconds
        self._look = look
        self._all: set[UpstreamConnection] = set()
        self._sweep: IDelayedCall | None = None
        self.closed = False

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, connection: UpstreamConnection) -> None:
        """It is connected and about to be used."""
        self._all.add(connection)

    def take(
        self, authority: Authority, addresses: Sequence[IPAddress | None], *, retriable: bool
    ) -> UpstreamConnection | None:
        """An idle connection for another exchange.

        :param retriable: whether the exchange may be repeated should the connection turn out to be dead.
        """
        now = self._seconds()
        while (connection := self._pool.take(authority, addresses, now)) is not None:
            if retriable or now - connection.idle_since < _TRUSTED_FOR or self._look(connection):
                return connection
            connection.close()
        return None

    def released(self, connection: UpstreamConnection) -> None:
        """Its exchange has ended and it may serve another."""
        if self.closed:
            connection.close()
            return
        for surplus in self._pool.put(connection, self._seconds()):
            surplus.close()
        if self._sweep is None:
            self._sweep = self._clock.callLater(self._pool.idle, self._close_expired)

    def lost(self, connection: UpstreamConnection) -> None:
        """It is closed, or was given away."""
        self._all.discard(connection)
        self._pool.discard(connection)

    def close(self, why: UpstreamFailed) -> None:
        """Close what is idle; fail and reset what is in use. What is released later is closed."""
        self.closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in self._pool.drain():
            self._all.discard(connection)
            connection.close()
        for connection in list(self._all):
            connection.interrupt(why)

    def _close_expired(self) -> None:
        self._sweep = None
        now = self._seconds()
        for connection in self._pool.expired(now):
            connection.close()
        due = self._pool.next_expiry()
        if due is not None:
            self._sweep = self._clock.callLater(max(0.0, due - now), self._close_expired)
