"""Which connections are our own, seen from either side: a proxy that dials itself would never stop."""

from __future__ import annotations

from collections.abc import Container, Hashable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ITransport

_V4_IN_V6 = "::ffff:"
End = tuple[str, int]


class OwnEnds:
    """Our outgoing connections: from where to where.

    :param own_ports: ports that this process listens on; may grow after this is made.
    """

    def __init__(self, own_ports: Container[int]) -> None:
        self._own_ports = own_ports
        self._by_token: dict[Hashable, tuple[End, End]] = {}
        # The kernel uses one local port towards several destinations at a time, so an end may lead to more than one.
        self._by_end: dict[End, list[End]] = {}

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
        end, destination = self._by_token[token] = ((here.host, here.port), (there.host, there.port))
        self._by_end.setdefault(end, []).append(destination)
        return here.host != there.host or (here.port != there.port and there.port not in self._own_ports)

    def leave(self, token: Hashable) -> None:
        """The connection has closed."""
        ends = self._by_token.pop(token, None)
        if ends is not None:
            end, destination = ends
            destinations = self._by_end[end]
            destinations.remove(destination)
            if not destinations:
                del self._by_end[end]

    def is_own(self, peer: End, listener: End, meant: End | None = None) -> bool:
        """Whether an incoming connection is the other side of one of these.

        The same peer is not enough: towards us, the kernel may give a client the very port that it gave one of our
        connections towards a third. Ours led here, or where it was redirected from. A redirection that we cannot see,
        on another machine, may have had any destination but loopback.

        :param peer: where it comes from; an IPv4 peer of a dual-stack listener may be IPv6-mapped.
        :param listener: where it arrived.
        :param meant: where it was going before it was redirected, if we can see that it was.
        """
        destinations = self._by_end.get(_plain(peer))
        if destinations is None:
            return False
        if meant is not None:
            return meant in destinations
        here = _plain(listener)
        return any(destination == here or not _is_loopback(destination[0]) for destination in destinations)

    def __len__(self) -> int:
        return len(self._by_token)


def _plain(end: End) -> End:
    return end[0].removeprefix(_V4_IN_V6), end[1]


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"
