"""Which idle connections are kept, which one is used next, and which are closed: a plan, no I/O.

A connection is found by the authority it was opened for *and* by its address, and only if that address is among the
permitted ones: a name that moved since does not drag an old connection along (architecture.md, "Speed by
construction").
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from eve_proxy.model.authority import Authority, IPAddress


class Poolable(Protocol):
    """What the plan knows of a connection.

    :ivar idle_since: seconds, written by the pool.
    """

    authority: Authority | None
    address: IPAddress | None
    idle_since: float


C = TypeVar("C", bound=Poolable)


class Pool(Generic[C]):
    """Idle keep-alive connections.

    Every method that answers with a list answers with connections that it no longer holds and that are to be closed.

    :param per_key: most idle connections to one authority.
    :param in_all: most idle connections.
    :param idle: seconds after which an unused connection is closed.
    """

    def __init__(self, *, per_key: int = 100, in_all: int = 1000, idle: float = 60.0) -> None:
        self.idle = idle
        self._per_key = per_key
        self._in_all = in_all
        # Newest last, so that what is reused is warm and what is left over grows old.
        self._by_host: dict[tuple[str, int], list[C]] = {}
        self._by_age: OrderedDict[C, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_age)

    def take(self, authority: Authority, addresses: Sequence[IPAddress | None], now: float) -> C | None:
        """The newest connection to ``authority`` at one of ``addresses``; it belongs to the caller now.

        :param now: a connection that has been idle for too long is left for ``expired`` to find.
        """
        key = (authority.host, authority.port)
        waiting = self._by_host.get(key)
        if waiting is None:
            return None
        connection = waiting[-1]
        if connection.address not in addresses or now - connection.idle_since >= self.idle:
            return self._older(waiting, addresses, now)
        # The usual case: the newest will do.
        del waiting[-1]
        if not waiting:
            del self._by_host[key]
        del self._by_age[connection]
        return connection

    def put(self, connection: C, now: float) -> list[C]:
        """Keep a connection whose exchange has ended."""
        authority = connection.authority
        if authority is None:
            return [connection]
        connection.idle_since = now
        key = (authority.host, authority.port)
        waiting = self._by_host.get(key)
        if waiting is None:
            waiting = self._by_host[key] = []
        waiting.append(connection)
        self._by_age[connection] = None
        if len(waiting) <= self._per_key and len(self._by_age) <= self._in_all:
            return []
        surplus: list[C] = []
        if len(waiting) > self._per_key:
            surplus.append(waiting[0])
            self._forget(waiting[0], waiting, 0)
        if len(self._by_age) > self._in_all:
            oldest = next(iter(self._by_age))
            self.discard(oldest)
            surplus.append(oldest)
        return surplus

    def discard(self, connection: C) -> bool:
        """Forget a connection that has closed; whether it was held."""
        if connection not in self._by_age or connection.authority is None:
            return False
        waiting = self._by_host[connection.authority.host, connection.authority.port]
        self._forget(connection, waiting, waiting.index(connection))
        return True

    def expired(self, now: float) -> list[C]:
        """Those that have been idle for too long."""
        old: list[C] = []
        for connection in self._by_age:
            if now - connection.idle_since < self.idle:
                break
            old.append(connection)
        for connection in old:
            self.discard(connection)
        return old

    def next_expiry(self) -> float | None:
        """When the oldest will have been idle for too long; None when there is none."""
        for connection in self._by_age:
            return connection.idle_since + self.idle
        return None

    def drain(self) -> list[C]:
        """All of them."""
        connections = list(self._by_age)
        self._by_age.clear()
        self._by_host.clear()
        return connections

    def _older(self, waiting: list[C], addresses: Sequence[IPAddress | None], now: float) -> C | None:
        for position in range(len(waiting) - 1, -1, -1):
            connection = waiting[position]
            if now - connection.idle_since >= self.idle:
                # Everything further down is older still.
                return None
            if connection.address in addresses:
                self._forget(connection, waiting, position)
                return connection
        return None

    def _forget(self, connection: C, waiting: list[C], position: int) -> None:
        del waiting[position]
        if not waiting and connection.authority is not None:
            del self._by_host[connection.authority.host, connection.authority.port]
        del self._by_age[connection]
