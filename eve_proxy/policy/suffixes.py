"""Sets of hosts: names matched by whole labels, addresses and networks (security.md, the blocklist's rules)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address

from eve_proxy.model.authority import Authority, IPAddress, parse_host
from eve_proxy.model.errors import InvalidAuthority
from eve_proxy.policy.embedded import embedded_ipv4
from eve_proxy.policy.entries import read_entries
from eve_proxy.policy.network_set import IPNetwork, NetworkSet, parse_network


class HostSet:
    """Host suffixes, IP literals and CIDRs, each in the canonical form of ``model.authority``.

    A lookup costs one set probe per label of the host, or one per prefix length in use, however many entries there
    are. Immutable.
    """

    __slots__ = ("_names", "_networks")

    def __init__(self, names: Iterable[str] = (), networks: Iterable[IPNetwork] = ()) -> None:
        self._names = frozenset(names)
        self._networks = NetworkSet(networks)

    @classmethod
    def parse(cls, text: str) -> HostSet:
        """Read EVE_PROXY_BLOCKED_HOSTS or EVE_PROXY_ALLOWED_HOSTS.

        ``example.com``, ``.example.com`` and ``*.example.com`` mean the same: that name and every name below it.

        :raises ValueError: names each entry that is neither a host suffix nor an address nor a CIDR, and what to do.
        """
        entries = read_entries(text, _entry)
        names = [entry for entry in entries if isinstance(entry, str)]
        return cls(names, [entry for entry in entries if not isinstance(entry, str)])

    def __bool__(self) -> bool:
        return bool(self._names) or bool(self._networks)

    def touched_by(self, authority: Authority) -> str | None:
        """The entry that ``authority`` meets, or None. For deny lists: IPv4 inside any IPv6 form counts."""
        if authority.address is None:
            return self._suffix(authority.host)
        return self.touched_by_address(authority.address)

    def touched_by_address(self, address: IPAddress) -> str | None:
        """As ``touched_by``, for an address that a name resolved to."""
        network = self._networks.find(address)
        if network is None and isinstance(address, IPv6Address):
            found = [self._networks.find(inside) for inside in embedded_ipv4(address)]
            network = next((match for match in found if match is not None), None)
        return None if network is None else _spelled(network)

    def __contains__(self, authority: Authority) -> bool:
        """For allow lists: the host itself is listed. A tunnel to a listed address is another destination."""
        if authority.address is None:
            return self._suffix(authority.host) is not None
        return authority.address in self._networks

    def lists_all(self, addresses: Sequence[IPAddress]) -> bool:
        """Whether each of ``addresses``, of which there is one at least, is listed itself."""
        return bool(addresses) and all(address in self._networks for address in addresses)

    def _suffix(self, host: str) -> str | None:
        names = self._names
        while host not in names:
            dot = host.find(".")
            if dot < 0:
                return None
            host = host[dot + 1 :]
        return host


def _spelled(network: IPNetwork) -> str:
    """A network of one address as that address: what the operator most likely wrote."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _entry(text: str) -> str | IPNetwork:
    if "://" in text:
        raise ValueError("write the host alone, without scheme and path")
    if "/" in text or text.startswith("[") or text.count(":") > 1:
        return parse_network(text)
    if ":" in text:
        raise ValueError("write the host alone, without a port; an entry covers every port")
    name = text[2:] if text.startswith("*.") else text.removeprefix(".")
    try:
        host, address = parse_host(name)
    except InvalidAuthority:
        raise ValueError(
            "write a host suffix such as example.com, an address, or a CIDR such as 192.0.2.0/24"
        ) from None
    return host if address is None else parse_network(str(address))
