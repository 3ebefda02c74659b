"""Networks to look addresses up in, in a time that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

from eve_proxy.model.authority import IPAddress
from eve_proxy.policy.embedded import plain

IPNetwork: TypeAlias = IPv4Network | IPv6Network
# (bits to drop, {what remains: the network})
_Level: TypeAlias = tuple[int, dict[int, IPNetwork]]


class NetworkSet:
    """One dictionary per prefix length that occurs, narrowest first.

    IPv4-mapped addresses and networks count as the IPv4 they are, so ``::/0`` does not cover ``::ffff:10.0.0.1``.
    """

    __slots__ = ("_ipv4", "_ipv6", "_size")

    def __init__(self, networks: Iterable[IPNetwork] = ()) -> None:
        levels: dict[int, dict[int, dict[int, IPNetwork]]] = {4: {}, 6: {}}
        self._size = 0
        for given in networks:
            network = _plain_network(given)
            shift = network.max_prefixlen - network.prefixlen
            level = levels[network.version].setdefault(shift, {})
            level[int(network.network_address) >> shift] = network
            self._size += 1
        self._ipv4: tuple[_Level, ...] = tuple(sorted(levels[4].items(), key=lambda level: level[0]))
        self._ipv6: tuple[_Level, ...] = tuple(sorted(levels[6].items(), key=lambda level: level[0]))

    def __bool__(self) -> bool:
        return self._size > 0

    def __contains__(self, address: IPAddress) -> bool:
        return self.find(address) is not None

    def find(self, address: IPAddress) -> IPNetwork | None:
        """The narrowest network that contains ``address``, or None."""
        if not self._size:
            return None
        address = plain(address)
        value = int(address)
        for shift, level in self._ipv4 if isinstance(address, IPv4Address) else self._ipv6:
            network = level.get(value >> shift)
            if network is not None:
                return network
        return None


def parse_network(text: str) -> IPNetwork:
    """Read a CIDR or a single address, IPv6 with or without brackets.

    :raises ValueError: with what to write instead, without the entry itself.
    """
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if "%" in text:
        raise ValueError("leave the zone away")
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("write an address or a CIDR, such as 10.0.0.0/8 or fd00::/8") from None
    raise ValueError(f"it has bits behind its prefix; write {loose} or {text.partition('/')[0]}")


def _plain_network(network: IPNetwork) -> IPNetwork:
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        address: IPAddress = plain(IPv6Address(network.network_address))
        if isinstance(address, IPv4Address):
            return IPv4Network((address, network.prefixlen - 96))
    return network
