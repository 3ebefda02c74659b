"""Looking addresses up in networks."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.policy.network_set import NetworkSet, parse_network

CIDRS4 = st.builds(
    lambda value, length: ip_network((value >> 32 - length << 32 - length, length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.lists(CIDRS4, max_size=20), st.integers(0, 2**32 - 1))
def test_it_agrees_with_the_library(networks: list, value: int) -> None:
    """An address is found exactly when one of the listed networks contains it, and the narrowest is reported."""
    address = IPv4Address(value)
    containing = [network for network in networks if address in network]
    found = NetworkSet(networks).find(address)
    assert found == max(containing, key=lambda network: network.prefixlen, default=None)


def test_mapped_addresses_are_the_ipv4_they_are() -> None:
    """A rule for 10.0.0.0/8 holds for ::ffff:10.1.2.3, and a rule for all IPv6 says nothing about it."""
    assert ip_address("::ffff:10.1.2.3") in NetworkSet([ip_network("10.0.0.0/8")])
    assert ip_address("10.1.2.3") in NetworkSet([ip_network("::ffff:10.0.0.0/104")])
    assert ip_address("::ffff:10.1.2.3") not in NetworkSet([ip_network("::/0")])
    assert ip_address("fd00::1") in NetworkSet([ip_network("::/0")])


def test_an_empty_set_is_false() -> None:
    """Nothing listed, nothing found."""
    assert not NetworkSet()
    assert ip_address("10.0.0.1") not in NetworkSet()
    assert NetworkSet([ip_network("0.0.0.0/0")])


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("fd00::/8", "fd00::/8"),
        ("[fd00::/8]", "fd00::/8"),
        ("[::1]", "::1/128"),
        ("::1", "::1/128"),
    ],
)
def test_networks_as_they_are_written(text: str, network: str) -> None:
    """Addresses and CIDRs are understood, IPv6 in brackets too."""
    assert parse_network(text) == ip_network(network)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("10.1.2.3/8", r"write 10\.0\.0\.0/8 or 10\.1\.2\.3"),
        ("10.0.0.0/33", "write an address or a CIDR"),
        ("fe80::1%eth0", "zone"),
        ("ten", "write an address or a CIDR"),
        ("", "write an address or a CIDR"),
    ],
)
def test_bad_networks_say_what_to_write(text: str, remedy: str) -> None:
    """The message completes the sentence that begins with the entry."""
    with pytest.raises(ValueError, match=remedy):
        parse_network(text)
