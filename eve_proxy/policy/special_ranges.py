"""The table of addresses that are not ordinary public unicast, and a fast way to ask it.

Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890, RFC 8190), the address space registries,
and the metadata services of the clouds. ``ipaddress.is_global`` is not the table: on CPython 3.11 it calls
several of these global. Ranges that IANA marks as reachable but that lead to the nearest anycast relay or sink
(AS112, AMT, PCP, TURN) are in it too: the nearest one may stand inside the operator's own network.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

from eve_proxy.model.authority import IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialRange:
    """One row.

    :ivar purpose: what the range is for, as it is told to a client.
    :ivar wraps: the range is only an envelope: what counts is the IPv4 address inside (``policy/embedded.py``).
    """

    network: IPv4Network | IPv6Network
    purpose: str
    wraps: bool = False


def _row(network: str, purpose: str, *, wraps: bool = False) -> SpecialRange:
    return SpecialRange(network=ip_network(network), purpose=purpose, wraps=wraps)


TABLE: Final = (
    # IPv4
    _row("0.0.0.0/8", "this network, RFC 791"),
    _row("10.0.0.0/8", "private use, RFC 1918"),
    _row("100.64.0.0/10", "carrier-grade NAT, RFC 6598"),
    _row("100.100.100.200/32", "cloud metadata, Alibaba Cloud"),
    _row("127.0.0.0/8", "loopback, RFC 1122"),
    _row("168.63.129.16/32", "cloud metadata, Azure"),
    _row("169.254.0.0/16", "link-local, RFC 3927"),
    _row("169.254.169.254/32", "cloud metadata"),
    _row("172.16.0.0/12", "private use, RFC 1918"),
    _row("192.0.0.0/24", "IETF protocol assignments, RFC 6890"),
    _row("192.0.0.192/32", "cloud metadata, Oracle Cloud"),
    _row("192.0.2.0/24", "documentation, RFC 5737"),
    _row("192.31.196.0/24", "AS112 anycast, RFC 7535"),
    _row("192.52.193.0/24", "multicast tunnel anycast, RFC 7450"),
    _row("192.88.99.0/24", "6to4 relay anycast, RFC 7526"),
    _row("192.168.0.0/16", "private use, RFC 1918"),
    _row("192.175.48.0/24", "AS112 anycast, RFC 7534"),
    _row("198.18.0.0/15", "benchmarking, RFC 2544"),
    _row("198.51.100.0/24", "documentation, RFC 5737"),
    _row("203.0.113.0/24", "documentation, RFC 5737"),
    _row("224.0.0.0/4", "multicast, RFC 5771"),
    _row("240.0.0.0/4", "reserved, RFC 1112"),
    _row("255.255.255.255/32", "limited broadcast, RFC 919"),
    # IPv6 within 2000::/3
    _row("2001::/23", "IETF protocol assignments, RFC 2928"),
    _row("2001::/32", "Teredo, RFC 4380", wraps=True),
    _row("2001:2::/48", "benchmarking, RFC 5180"),
    _row("2001:3::/32", "multicast tunnel anycast, RFC 7450"),
    _row("2001:4:112::/48", "AS112 anycast, RFC 7535"),
    _row("2001:10::/28", "ORCHID, RFC 4843"),
    _row("2001:20::/28", "ORCHIDv2, RFC 7343"),
    _row("2001:30::/28", "drone remote identification, RFC 9374"),
    _row("2001:db8::/32", "documentation, RFC 3849"),
    _row("2002::/16", "6to4, RFC 3056", wraps=True),
    _row("2620:4f:8000::/48", "AS112 anycast, RFC 7534"),
    _row("3ffe::/16", "6bone, returned, RFC 3701"),
    _row("3fff::/20", "documentation, RFC 9637"),
    # IPv6 outside 2000::/3
    _row("::/128", "unspecified, RFC 4291"),
    _row("::1/128", "loopback, RFC 4291"),
    _row("::/96", "IPv4-compatible, RFC 4291", wraps=True),
    _row("::ffff:0:0/96", "IPv4-mapped, RFC 4291", wraps=True),
    _row("::ffff:0:0:0/96", "IPv4-translated, RFC 2765", wraps=True),
    _row("64:ff9b::/96", "NAT64, RFC 6052", wraps=True),
    _row("64:ff9b:1::/48", "local NAT64, RFC 8215", wraps=True),
    _row("100::/64", "discard only, RFC 6666"),
    _row("100:0:0:1::/64", "dummy prefix, RFC 9780"),
    _row("5f00::/16", "SRv6 segment identifiers, RFC 9602"),
    _row("fc00::/7", "unique local, RFC 4193"),
    _row("fd00:ec2::254/128", "cloud metadata, AWS"),
    _row("fd20:ce::254/128", "cloud metadata, Google Cloud"),
    _row("fe80::/10", "link-local, RFC 4291"),
    _row("fec0::/10", "site-local, RFC 3879"),
    _row("ff00::/8", "multicast, RFC 4291"),
    _row("::/3", "not global unicast, RFC 4291"),
    _row("4000::/2", "not global unicast, RFC 4291"),
    _row("8000::/1", "not global unicast, RFC 4291"),
)

# (bits to drop, what then remains of an address inside, the row)
_Probe: TypeAlias = tuple[int, int, SpecialRange]


def _probe(row: SpecialRange) -> _Probe:
    shift = row.network.max_prefixlen - row.network.prefixlen
    return shift, int(row.network.network_address) >> shift, row


# The narrowest row speaks first: its purpose is the better answer, and an envelope may lie inside a denied range.
_PROBES: Final = tuple(map(_probe, sorted(TABLE, key=lambda row: row.network.prefixlen, reverse=True)))


def _in_slice(version: int, group_bits: int, group: int) -> tuple[_Probe, ...]:
    """The probes whose range meets the addresses that begin with ``group``."""
    width = 32 if version == 4 else 128
    first, last = group << width - group_bits, (group + 1 << width - group_bits) - 1
    return tuple(
        [
            probe
            for probe in _PROBES
            if probe[2].network.version == version
            and int(probe[2].network.network_address) <= last
            and int(probe[2].network.broadcast_address) >= first
        ]
    )


# Judged per request: most public addresses begin with an octet (16-bit group) that no row meets.
_IPV4: Final = tuple([_in_slice(4, 8, octet) for octet in range(256)])
_IPV6_GROUPS: Final = frozenset(
    int(row.network.network_address) >> 112 for row in TABLE if row.network.version == 6 and row.network.prefixlen >= 16
)
_IPV6: Final = {group: _in_slice(6, 16, group) for group in _IPV6_GROUPS}
_IPV6_OUTSIDE: Final = tuple(
    [probe for probe in _PROBES if probe[2].network.version == 6 and probe[2].network.prefixlen < 16]
)


def special_range(address: IPAddress) -> SpecialRange | None:
    """The narrowest row that denies ``address`` as it is written; None for an ordinary address or an envelope."""
    value = int(address)
    if isinstance(address, IPv4Address):
        probes = _IPV4[value >> 24]
    else:
        group = value >> 112
        probes = _IPV6.get(group) or (() if group >> 13 == 1 else _IPV6_OUTSIDE)
    for shift, key, row in probes:
        if value >> shift == key:
            return None if row.wraps else row
    return None
