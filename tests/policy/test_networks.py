"""EVE_PROXY_ALLOWED_NETWORKS."""

from ipaddress import ip_address, ip_network

import pytest

from eve_proxy.policy.networks import AllowedNetworks


@pytest.mark.parametrize(
    ("text", "address", "port", "found"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80, "10.0.0.0/8"),
        ("10.0.0.0/8", "11.0.0.0", 80, None),
        ("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1/32"),
        ("127.0.0.1:8080", "127.0.0.1", 8081, None),
        ("127.0.0.1:8080", "127.0.0.2", 8080, None),
        ("10.0.0.0/8:443", "10.9.9.9", 443, "10.0.0.0/8"),
        ("10.0.0.0/8:443", "10.9.9.9", 80, None),
        ("fd00::/8", "fd12::1", 1, "fd00::/8"),
        ("[fd00::/8]", "fd12::1", 1, "fd00::/8"),
        ("[fd00::/8]:443", "fd12::1", 443, "fd00::/8"),
        ("[fd00::/8]:443", "fd12::1", 80, None),
        ("[::1]:9", "::1", 9, "::1/128"),
        ("10.0.0.0/8,10.0.0.0/24:80", "10.0.0.1", 80, "10.0.0.0/24"),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 80, "10.0.0.0/8"),
        ("::/0", "::ffff:10.1.2.3", 80, None),
        ("", "10.0.0.1", 80, None),
    ],
)
def test_what_an_entry_permits(text: str, address: str, port: int, found: str | None) -> None:
    """An entry opens its network at its port, and without a port at every port."""
    expected = None if found is None else ip_network(found)
    assert AllowedNetworks.parse(text).find(ip_address(address), port) == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("10.0.0.0/8:0", "from 1 to 65535"),
        ("10.0.0.0/8:65536", "from 1 to 65535"),
        ("10.0.0.0/8:", "from 1 to 65535"),
        ("10.0.0.0/8:٤", "from 1 to 65535"),
        ("[fd00::/8]443", r"write \[network\]:port"),
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("internal.example", "write an address or a CIDR"),
        ("*", "write an address or a CIDR"),
        (",", "lists nothing"),
    ],
)
def test_bad_entries_stop_the_start(text: str, remedy: str) -> None:
    """A typing error opens nothing: it is reported with what to write."""
    with pytest.raises(ValueError, match=remedy):
        AllowedNetworks.parse(text)


def test_all_bad_entries_are_reported() -> None:
    """One start shows every fault."""
    with pytest.raises(ValueError, match=r'"x":.*"10\.0\.0\.0/8:y"'):
        AllowedNetworks.parse("x,127.0.0.1,10.0.0.0/8:y")


def test_truth() -> None:
    """Nothing listed is false; one entry with a port is enough to be true."""
    assert not AllowedNetworks()
    assert AllowedNetworks.parse("127.0.0.1:80")
    assert AllowedNetworks.parse("127.0.0.1")
