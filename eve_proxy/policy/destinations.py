"""Which addresses may be connected to (security.md, "Destinations (SSRF)").

One judge for both moments: literal addresses before anything is decided, resolved ones before anything is dialled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.policy.embedded import LOCAL_NAT64_LENGTHS, embedded_ipv4, is_local_nat64, plain, translated
from eve_proxy.policy.networks import AllowedNetworks
from eve_proxy.policy.special_ranges import SpecialRange, special_range
from eve_proxy.policy.suffixes import HostSet

RULE: Final = "destination"

_NOTHING_BLOCKED: Final = HostSet()


class Destinations:
    """Judges one address and port. Immutable, but for the answers of ``is_own_address``.

    A literal address is judged twice per request, before and after the record, and a name's addresses come from the
    resolver's cache: answers that cannot change are kept.

    An address is judged in every reading: as written, and as each IPv4 address inside it. Every reading that the table
    denies needs an entry of EVE_PROXY_ALLOWED_NETWORKS of its own: permitting an IPv6 network opens no IPv4 address
    behind it, and permitting 10.0.0.0/8 permits its members in any envelope.
    """

    __slots__ = ("_allowed", "_blocked", "_is_own_address", "_kept", "_own_everywhere", "_own_exact", "_own_ports")

    def __init__(
        self,
        allowed_networks: AllowedNetworks,
        own_listeners: Iterable[tuple[IPAddress | None, int]],
        is_own_address: Callable[[IPAddress], bool],
        blocked: HostSet = _NOTHING_BLOCKED,
    ) -> None:
        """Build the judge.

        :param own_listeners: what this process listens on; None (or an unspecified address) is the wildcard.
        :param is_own_address: is an address one of this machine's? Asked only at the port of a wildcard listener;
            loopback and unspecified addresses are known to be.
        :param blocked: the blocklist, whose addresses and networks also bind what a name resolves to.
        """
        self._allowed = allowed_networks
        self._blocked = blocked
        self._is_own_address = is_own_address
        listeners = [(None if address is None else plain(address), port) for address, port in own_listeners]
        self._own_ports = frozenset(port for _, port in listeners)
        self._own_everywhere = frozenset(
            port for address, port in listeners if address is None or address.is_unspecified
        )
        self._own_exact = frozenset(listeners)
        self._kept = lru_cache(maxsize=4096)(self._judge)

    def judge(self, address: IPAddress, port: int) -> Verdict | None:
        """A refusal (rule ``destination``, or ``blocklist`` for a listed network), or None."""
        # At a port of ours it depends on the addresses that this machine has at the moment.
        return self._judge(address, port) if port in self._own_ports else self._kept(address, port)

    def _judge(self, address: IPAddress, port: int) -> Verdict | None:
        address = plain(address)
        if isinstance(address, IPv4Address):
            return self._judge_reading(address, port, address)
        readings: list[IPAddress] = [address, *self._inside(address, port)]
        for reading in readings:
            verdict = self._judge_reading(reading, port, address)
            if verdict is not None:
                return verdict
        return None

    def _judge_reading(self, reading: IPAddress, port: int, address: IPAddress) -> Verdict | None:
        if port in self._own_ports and self._is_own(reading, port):
            return refuse(RULE, f"{_named(address, reading)} port {port} is this proxy itself")
        if self._blocked:
            entry = self._blocked.touched_by_address(reading)
            if entry is not None:
                return refuse("blocklist", f"{_named(address, reading)} is blocked by EVE_PROXY_BLOCKED_HOSTS: {entry}")
        special = special_range(reading)
        if special is None or self._allowed.find(reading, port) is not None:
            return None
        return _guarded(address, reading, special)

    def _inside(self, address: IPv6Address, port: int) -> tuple[IPv4Address, ...]:
        if is_local_nat64(address):
            # Only the operator knows the layout of a site's own translator, and an entry such as 64:ff9b:1::/96 tells
            # it; without one, every layout counts.
            network = self._allowed.find(address, port)
            if network is not None and network.prefixlen in LOCAL_NAT64_LENGTHS:
                return (translated(address, network.prefixlen),)
        return embedded_ipv4(address)

    def _is_own(self, address: IPAddress, port: int) -> bool:
        # Connecting to the unspecified address reaches a listener on this machine, whichever address it has.
        if address.is_unspecified or (address, port) in self._own_exact:
            return True
        return port in self._own_everywhere and (address.is_loopback or self._is_own_address(address))


def _named(address: IPAddress, reading: IPAddress) -> str:
    return str(address) if reading == address else f"{address} (which carries {reading})"


def _guarded(address: IPAddress, reading: IPAddress, special: SpecialRange) -> Verdict:
    return refuse(
        RULE,
        f"{_named(address, reading)} is in {special.network} ({special.purpose});"
        " EVE_PROXY_ALLOWED_NETWORKS can permit it",
    )
