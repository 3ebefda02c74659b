"""The bounds of the client side (security.md, "Bounds") as one value, and the account of buffered bodies."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.model.errors import Overloaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds and bytes.

    :ivar max_body: EVE_PROXY_MAX_BODY.
    :ivar max_connections: EVE_PROXY_MAX_CONNECTIONS.
    :ivar head: from the first byte of a head (or the connection's start) to its end.
    :ivar body_gap: between two pieces of a body.
    :ivar body_total: for a whole body, plus one second for every ``body_rate`` bytes received.
    :ivar stall: a response or WebSocket in which nothing moves; an idle tunnel.
    """

    max_body: int
    max_connections: int
    head: float = 10.0
    body_gap: float = 30.0
    body_total: float = 120.0
    body_rate: int = 64 * 1024
    idle: float = 60.0
    linger: float = 5.0
    stall: float = 900.0

    def body_wait(self, size: int, spent: float) -> float:
        """Seconds to wait for the next piece of a body of which ``size`` bytes took ``spent`` seconds so far."""
        left = self.body_total + size / self.body_rate - spent
        return max(0.0, min(self.body_gap, left))


class BufferAccount:
    """How much all request bodies together may hold in memory (EVE_PROXY_MAX_BUFFERED).

    Counted are the bytes as received, what they decode to, and the questions to a decision service that carry them.
    What exists for a moment only, while one body is decoded, encoded or copied into a socket, is not.

    :param limit: bytes.
    """

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Enter ``size`` more bytes.

        :raises Overloaded: there is no room; nothing was entered.
        """
        if self.held + size > self.limit:
            raise Overloaded("request bodies in flight exceed EVE_PROXY_MAX_BUFFERED; try again later")
        self.held += size

    def give_back(self, size: int) -> None:
        """The bytes are no longer held."""
        self.held -= size
