"""EVE_PROXY_ALLOWED_NETWORKS: guarded destinations that may be reached all the same (security.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eve_proxy.model.authority import IPAddress
from eve_proxy.policy.entries import read_entries
from eve_proxy.policy.network_set import IPNetwork, NetworkSet, parse_network

_EVERY_PORT = None


class AllowedNetworks:
    """Networks, each for one port or for every port. Immutable."""

    __slots__ = ("_by_port", "_every_port")

    def __init__(self, entries: Iterable[tuple[IPNetwork, int | None]] = ()) -> None:
        grouped: dict[int | None, list[IPNetwork]] = {_EVERY_PORT: []}
        for network, port in entries:
            grouped.setdefault(port, []).append(network)
        self._every_port = NetworkSet(grouped.pop(_EVERY_PORT))
        self._by_port: Mapping[int | None, NetworkSet] = {port: NetworkSet(group) for port, group in grouped.items()}

    @classmethod
    def parse(cls, text: str) -> AllowedNetworks:
        """Read ``10.0.0.0/8,127.0.0.1:8080,fd00::/8,[fd00::/8]:443``.

        :raises ValueError: names each bad entry and what to write.
        """
        return cls(read_entries(text, _entry))

    def __bool__(self) -> bool:
        return bool(self._every_port) or bool(self._by_port)

    def find(self, address: IPAddress, port: int) -> IPNetwork | None:
        """The entry that permits ``address`` at ``port``, or None. One that names the port comes first."""
        of_port = self._by_port.get(port)
        return (of_port.find(address) if of_port else None) or self._every_port.find(address)


def _entry(text: str) -> tuple[IPNetwork, int | None]:
    network, colon, port = text, "", ""
    if text.startswith("["):
        network, _, rest = text.partition("]")
        network, colon, port = network[1:], rest[:1], rest[1:]
        if rest and colon != ":":
            raise ValueError("write [network]:port, such as [fd00::/8]:443")
    elif text.count(":") == 1:
        network, colon, port = text.partition(":")
    if not colon:
        return parse_network(network), _EVERY_PORT
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError("write the port as a number from 1 to 65535, or leave it away for every port")
    return parse_network(network), int(port)
