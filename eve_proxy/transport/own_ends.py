"""Which connections are our own, seen from either side: a proxy that dials itself would never stop."""

from __future__ import annotations

from collections.abc import Container, Hashable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ITransport

_V4_IN_V6 = "::ffff:"


class OwnEnds:
    """The local ends of our outgoing connections.

    :param own_ports: ports that this process listens on; may grow after this is made.
    """

    def __init__(self, own_ports: Container[int]) -> None:
        self._own_ports = own_ports
        self._by_token: dict[Hashable, tuple[str, int]] = {}
        self._ends: set[tuple[str, int]] = set()

    def enter(self, token: Hashable, transport: ITransport) -> bool:
        """Note a fresh outgoing connection.

        :param token: names it for ``leave``.
        :returns: False if it leads back to this process and must be reset: to one of our ports on an address of
            ours (a connection to an own address comes from that same address), or into itself (TCP's simultaneous
            open, when the kernel picks the destination's port as the source).
        """
        here, there = transport.getHost(), transport.getPeer()
        if not isinstance(here, IPv4Address | IPv6Address) or not isinstance(there, IPv4Address | IPv6Address):
            return True
        end = self._by_token[token] = (here.host, here.port)
        self._ends.add(end)
        return here.host != there.host or (here.port != there.port and there.port not in self._own_ports)

    def leave(self, token: Hashable) -> None:
        """The connection has closed."""
        end = self._by_token.pop(token, None)
        if end is not None:
            self._ends.discard(end)

    def is_own(self, host: str, port: int) -> bool:
        """Whether the peer ``host``, ``port`` of an incoming connection is one of these ends.

        :param host: as text; an IPv4 peer of a dual-stack listener may be IPv6-mapped.
        """
        return (host.removeprefix(_V4_IN_V6), port) in self._ends

    def __len__(self) -> int:
        return len(self._ends)
