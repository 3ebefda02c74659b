"""The table of guarded ranges, row by row, against a transcript of the registries kept apart from the source."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.policy.special_ranges import TABLE, special_range

GUARDED4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
# What of 2000::/3 is guarded as it is written; Teredo and 6to4 are envelopes.
GUARDED6 = ["2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20"]
ENVELOPES = ["::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"]

NETWORKS4 = [ip_network(text) for text in GUARDED4]
NETWORKS6 = [ip_network(text) for text in GUARDED6]
WRAPPING = [ip_network(text) for text in ENVELOPES]
UNICAST = IPv6Network("2000::/3")


def guarded4(address: IPv4Address) -> bool:
    return any(address in network for network in NETWORKS4)


def guarded6(address: IPv6Address) -> bool:
    if int(address) in (0, 1):
        return True
    if any(address in network for network in WRAPPING):
        return False
    return address not in UNICAST or any(address in network for network in NETWORKS6)


def edges(network) -> list:
    """First, last, and their neighbours outside."""
    first, last = int(network.network_address), int(network.broadcast_address)
    kind = IPv4Address if network.version == 4 else IPv6Address
    top = 2**network.max_prefixlen - 1
    return [kind(value) for value in (first - 1, first, (first + last) // 2, last, last + 1) if 0 <= value <= top]


@pytest.mark.parametrize("text", GUARDED4)
def test_ipv4_row_by_row(text: str) -> None:
    """A guarded range is guarded from its first to its last address, and its neighbours are reachable."""
    for address in edges(ip_network(text)):
        assert (special_range(address) is not None) == guarded4(address), address


@pytest.mark.parametrize(
    "text",
    [
        *GUARDED6,
        *ENVELOPES,
        *[
            "::/128",
            "::1/128",
            "100::/64",
            "100:0:0:1::/64",
            "2000::/3",
            "4000::/3",
            "5f00::/16",
            "fc00::/7",
            "fd00:ec2::254/128",
        ],
        *[
            "fd20:ce::254/128",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
            "2001:2::/48",
            "2001:3::/32",
            "2001:4:112::/48",
            "2001:10::/28",
        ],
        *["2001:20::/28", "2001:30::/28", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128"],
    ],
)
def test_ipv6_row_by_row(text: str) -> None:
    """As for IPv4; all that is not global unicast is guarded, unless it carries an IPv4 address to judge instead."""
    for address in edges(ip_network(text)):
        assert (special_range(address) is not None) == guarded6(address), address


@pytest.mark.parametrize(
    ("text", "purpose"),
    [
        ("127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("169.254.1.1", "link-local"),
        ("169.254.169.254", "cloud metadata"),
        ("100.100.100.200", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("192.0.0.192", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fd20:ce::254", "cloud metadata"),
        ("fd00::1", "unique local"),
        ("0.0.0.0", "this network"),
        ("255.255.255.255", "broadcast"),
        ("239.1.1.1", "multicast"),
        ("ff02::1", "multicast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fec0::1", "site-local"),
        ("100::1", "discard"),
        ("5f00::1", "SRv6"),
        ("2001:db8::1", "documentation"),
        ("2001:5::1", "IETF protocol"),
        ("2001:21::1", "ORCHIDv2"),
        ("1000::1", "not global unicast"),
        ("fe00::1", "not global unicast"),
    ],
)
def test_the_narrowest_row_gives_the_reason(text: str, purpose: str) -> None:
    """A refusal says what the address is, as precisely as the table knows it."""
    found = special_range(ip_address(text))
    assert found is not None
    assert purpose in found.purpose
    assert ip_address(text) in found.network


@pytest.mark.parametrize(
    "text",
    [
        "168.63.129.16",
        "192.0.0.192",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "224.0.0.1",
        "239.255.255.255",
        "2620:4f:8000::1",
        "3ffe::1",
        "3fff::1",
        "100:0:0:1::1",
        "5f00::1",
        "fec0::1",
        "ff0e::1",
        "ff02::1",
        "4000::1",
        "8000::1",
    ],
)
def test_what_is_global_gets_wrong(text: str) -> None:
    """These addresses are guarded although ``ipaddress.is_global`` of CPython 3.11.7 would have let them out."""
    assert special_range(ip_address(text)) is not None


@pytest.mark.parametrize(
    "text", ["2002:7f00:1::1", "2001:0:7f00:1::", "64:ff9b::127.0.0.1", "64:ff9b:1:7f00:0:100::", "::127.0.0.1"]
)
def test_envelopes_are_left_to_their_content(text: str) -> None:
    """The table alone does not judge an address that carries another one (tests/policy/test_destinations.py does)."""
    assert special_range(ip_address(text)) is None


def test_no_row_is_listed_twice() -> None:
    """A second row for a range would be dead text."""
    assert len({row.network for row in TABLE}) == len(TABLE)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_any_ipv4_address(address: IPv4Address) -> None:
    """Outside the registry's ranges every IPv4 address is reachable, inside none."""
    assert (special_range(address) is not None) == guarded4(address)


@given(st.one_of(st.integers(0, 2**128 - 1), st.integers(2 << 124, (4 << 124) - 1)).map(IPv6Address))
def test_any_ipv6_address(address: IPv6Address) -> None:
    """The same for IPv6."""
    assert (special_range(address) is not None) == guarded6(address)
