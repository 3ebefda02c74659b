"""IPv4 addresses inside IPv6 addresses, each form by its RFC's own layout."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.policy.embedded import LOCAL_NAT64_LENGTHS, embedded_ipv4, is_local_nat64, plain, translated

HIDDEN = "192.0.2.33"


@pytest.mark.parametrize(
    "envelope",
    [
        "::192.0.2.33",
        "::ffff:192.0.2.33",
        "::ffff:0:192.0.2.33",
        "64:ff9b::192.0.2.33",
        "64:ff9b:1:c000:2:2100::",
        "64:ff9b:1:aac0:0:221::",
        "64:ff9b:1:aaaa:c0:2:2100:0",
        "64:ff9b:1:aaaa:bbbb:cccc:192.0.2.33",
        "2002:c000:221::1",
        "2001:0:c000:221:8000:63bf:3fff:fdd2",
        "2001:0:4136:e378:8000:63bf:3fff:fdde",
        "2001:470::5efe:192.0.2.33",
        "2001:470::200:5efe:192.0.2.33",
        "fe80::300:5efe:192.0.2.33",
    ],
)
def test_every_form_gives_its_address_away(envelope: str) -> None:
    """192.0.2.33 is seen in whatever IPv6 form it is written."""
    assert IPv4Address(HIDDEN) in embedded_ipv4(IPv6Address(envelope))


def test_teredo_shows_server_and_client() -> None:
    """The example of RFC 4380's terms: both ends of the tunnel are judged."""
    found = embedded_ipv4(IPv6Address("2001:0:4136:e378:8000:63bf:3fff:fdd2"))
    assert set(map(str, found)) == {"65.54.227.120", "192.0.2.45"}


@pytest.mark.parametrize(
    "text", ["::", "::1", "2606:4700::1111", "2001:4860:4860::8888", "fd00::1", "64:ff9c::7f00:1", "2001:1::7f00:1"]
)
def test_ordinary_addresses_embed_nothing(text: str) -> None:
    """A public address is not refused for digits that happen to look like IPv4."""
    assert embedded_ipv4(IPv6Address(text)) == ()


@pytest.mark.parametrize(
    ("length", "text"),
    [
        # RFC 6052 section 2.4 has this address under prefixes of every length; here under 64:ff9b:1::/48.
        (48, "64:ff9b:1:c000:2:2100::"),
        (56, "64:ff9b:1:3c0:0:221::"),
        (64, "64:ff9b:1:344:c0:2:2100:0"),
        (96, "64:ff9b:1:344::192.0.2.33"),
    ],
)
def test_translator_layouts(length: int, text: str) -> None:
    """A site's translator finds the address where RFC 6052 puts it, around the empty octet."""
    assert translated(IPv6Address(text), length) == IPv4Address(HIDDEN)
    assert length in LOCAL_NAT64_LENGTHS


def test_where_the_local_translator_range_ends() -> None:
    """Only 64:ff9b:1::/48 is read in all layouts."""
    assert is_local_nat64(IPv6Address("64:ff9b:1::"))
    assert is_local_nat64(IPv6Address("64:ff9b:1:ffff:ffff:ffff:ffff:ffff"))
    assert not is_local_nat64(IPv6Address("64:ff9b:2::"))
    assert not is_local_nat64(IPv6Address("64:ff9b:0:ffff::"))


@given(st.integers(0, 2**32 - 1))
def test_mapped_is_plain_ipv4(value: int) -> None:
    """A client that writes ::ffff:a.b.c.d is treated like one that writes a.b.c.d."""
    assert plain(IPv6Address(0xFFFF << 32 | value)) == IPv4Address(value)


def test_a_zone_makes_no_other_address() -> None:
    """fe80::1%eth0 is compared as fe80::1."""
    assert plain(IPv6Address("fe80::1%eth0")) == IPv6Address("fe80::1")
    assert plain(IPv6Address("::ffff:1.2.3.4%eth0")) == IPv4Address("1.2.3.4")


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "::ffff:0:1.2.3.4", "::1.2.3.4", "2002::1"])
def test_others_stay_as_they_are(text: str) -> None:
    """No other form is an IPv4 address to the kernel."""
    assert plain(ip_address(text)) == ip_address(text)
