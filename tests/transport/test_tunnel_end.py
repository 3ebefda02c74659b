"""A tunnel's upstream before it is relayed."""

from __future__ import annotations

from typing import Any

from eve_proxy.transport.tunnel_end import TunnelEnd
from tests.transport.bench import OriginTransport


def test_the_transport_is_given_away_paused() -> None:
    """Nothing is read before somebody relays it."""
    made: list[Any] = []
    transport = OriginTransport()
    transport.resumeProducing()
    TunnelEnd(made.append, bytes).makeConnection(transport)
    assert made == [transport]
    assert not transport.reading


def test_what_arrives_all_the_same_is_not_lost() -> None:
    """A parent proxy sends the origin's first words along with its own, and TLS may hold more of them."""
    heard: list[bytes] = []
    end = TunnelEnd(lambda _: heard.append(b"|"), heard.append)
    end.dataReceived(b"220 ")
    end.makeConnection(OriginTransport())
    end.dataReceived(b"ready")
    assert heard == [b"220 ", b"|", b"ready"]
