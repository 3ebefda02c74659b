"""What the client's side asks of whoever dials: one dialler (``dialler.py``), or several (``diallers.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as Structural

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport

from eve_proxy.model.decision import Permit
from eve_proxy.transport.dialler import DialCounts
from eve_proxy.transport.outgoing import OutgoingExchange
from eve_proxy.transport.own_ends import End
from eve_proxy.transport.tunnel_end import Heard
from eve_proxy.transport.upstream import Receiver


class WayOut(Structural):
    """See ``dialler.Dialler``."""

    @property
    def counts(self) -> DialCounts:
        """What happened so far."""

    def exchange(
        self, permit: Permit, head: bytes, body: Sequence[bytes], *, method: str, receiver: Receiver
    ) -> OutgoingExchange:
        """Send one request."""

    def tunnel(self, permit: Permit, heard: Heard) -> Deferred[ITransport]:
        """Connect."""

    def is_own(self, peer: End, listener: End, meant: End | None = None) -> bool:
        """Whether an incoming connection is one of our own."""

    def close(self) -> None:
        """Stop."""
