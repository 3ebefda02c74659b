"""The ways out where there is a parent proxy: one dialler each, and the permit says which (law 3).

Three, because a connection of one must never serve another: directly; in a tunnel through the proxy, to a judged
address or to a name that the proxy resolves; and to the proxy itself, which carries a request out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport

from eve_proxy.model.decision import Mode, Permit
from eve_proxy.transport.dialler import DialCounts, Dialler
from eve_proxy.transport.outgoing import OutgoingExchange
from eve_proxy.transport.own_ends import End
from eve_proxy.transport.parent import Parent
from eve_proxy.transport.racing import STAGGER
from eve_proxy.transport.relayed import exchange_relayed
from eve_proxy.transport.tunnel_end import Heard
from eve_proxy.transport.upstream import Receiver

# The proxy connects in our name, so that a second is not yet slow; and what it has begun it will finish.
PARENT_STAGGER: Final = 1.0

# ``make(via=, reach=, stagger=)``: a dialler of that way, with a pool of its own.
Make = Callable[..., Dialler]


class Diallers:
    """A ``Dialler`` for every permit.

    :param parent: the parent proxy.
    :param make: makes the three.
    """

    def __init__(self, parent: Parent, make: Make) -> None:
        self._parent = parent
        self._direct = make(via=None, reach=None, stagger=STAGGER)
        self._tunnelled = make(via=parent.name, reach=parent.tunnel, stagger=PARENT_STAGGER)
        self._relayed = make(via=parent.name, reach=lambda _: parent.relay(), stagger=PARENT_STAGGER)

    @property
    def counts(self) -> DialCounts:
        """As ``Dialler.counts``, of all ways together."""
        each = [dialler.counts for dialler in self._all]
        return DialCounts(
            dialled=sum(counts.dialled for counts in each),
            reused=sum(counts.reused for counts in each),
            redialled=sum(counts.redialled for counts in each),
            loops=sum(counts.loops for counts in each),
        )

    def exchange(
        self, permit: Permit, head: bytes, body: Sequence[bytes], *, method: str, receiver: Receiver
    ) -> OutgoingExchange:
        """As ``Dialler.exchange``. For a permit of mode RELAYED ``head`` is in absolute-form."""
        if permit.mode is Mode.RELAYED:
            return exchange_relayed(self._relayed, self._parent, permit, head, body, method=method, receiver=receiver)
        return self._of(permit).exchange(permit, head, body, method=method, receiver=receiver)

    def tunnel(self, permit: Permit, heard: Heard) -> Deferred[ITransport]:
        """As ``Dialler.tunnel``."""
        return self._of(permit).tunnel(permit, heard)

    def is_own(self, peer: End, listener: End, meant: End | None = None) -> bool:
        """As ``Dialler.is_own``."""
        return self._direct.is_own(peer, listener, meant)

    def close(self) -> None:
        """As ``Dialler.close``."""
        for dialler in self._all:
            dialler.close()

    @property
    def _all(self) -> tuple[Dialler, ...]:
        return self._direct, self._tunnelled, self._relayed

    def _of(self, permit: Permit) -> Dialler:
        return self._direct if permit.via is None else self._tunnelled
