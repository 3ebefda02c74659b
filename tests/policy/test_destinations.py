"""Which addresses may be connected to, in every spelling."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eve_proxy.model.authority import IPAddress, parse_host
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.policy.destinations import Destinations
from eve_proxy.policy.networks import AllowedNetworks
from eve_proxy.policy.special_ranges import special_range
from eve_proxy.policy.suffixes import HostSet

MACHINE = {ip_address("198.51.100.9"), ip_address("10.9.9.9"), ip_address("2001:470::9"), ip_address("93.184.216.34")}


def destinations(allowed: str = "", own: tuple = (), blocked: str = "") -> Destinations:
    return Destinations(AllowedNetworks.parse(allowed), own, MACHINE.__contains__, HostSet.parse(blocked))


def judged(address: str, port: int = 443, *, allowed: str = "") -> Verdict | None:
    return destinations(allowed).judge(ip_address(address), port)


def nat64(prefix: str) -> Callable[[int], IPv6Address]:
    return lambda value: IPv6Address(int(IPv6Address(prefix)) | value)


# Every form of security.md: an IPv4 address as a number, to the IPv6 address that carries it.
ENVELOPES: dict[str, Callable[[int], IPv6Address]] = {
    "mapped": nat64("::ffff:0:0"),
    "compatible": lambda value: IPv6Address(value),
    "translated": nat64("::ffff:0:0:0"),
    "nat64": nat64("64:ff9b::"),
    "local nat64 /48": lambda value: IPv6Address(0x0064_FF9B_0001 << 80 | (value >> 16) << 64 | (value & 0xFFFF) << 40),
    "local nat64 /56": lambda value: IPv6Address(
        0x0064_FF9B_0001_0800 << 64 | (value >> 24) << 64 | (value & 0xFFFFFF) << 32
    ),
    "local nat64 /64": lambda value: IPv6Address(0x0064_FF9B_0001_0808 << 64 | value << 24),
    "local nat64 /96": lambda value: IPv6Address(0x0064_FF9B_0001_0808_0008_0808 << 32 | value),
    "6to4": lambda value: IPv6Address(0x2002 << 112 | value << 80 | 1),
    "teredo client": lambda value: IPv6Address(0x2001_0000_0808_0808 << 64 | value ^ 0xFFFFFFFF),
    "teredo server": lambda value: IPv6Address(0x2001_0000 << 96 | value << 64 | 0xF7F7F7F7),
    "isatap": nat64("2001:470::5efe:0:0"),
    "isatap, universal": nat64("2001:470::200:5efe:0:0"),
}
# Where the layout is known from the address: a public IPv4 address in it is judged as that address.
UNAMBIGUOUS = [name for name in ENVELOPES if not name.startswith("local")]

ANY_IPV4 = st.integers(0, 2**32 - 1)
GUARDED = st.one_of(
    st.integers(0x0A000000, 0x0AFFFFFF),
    st.integers(0x7F000000, 0x7FFFFFFF),
    st.integers(0xA9FE0000, 0xA9FEFFFF),
    st.integers(0xC0A80000, 0xC0A8FFFF),
    ANY_IPV4.filter(lambda value: special_range(IPv4Address(value)) is not None),
)
PUBLIC = ANY_IPV4.filter(lambda value: special_range(IPv4Address(value)) is None)


@pytest.mark.parametrize(
    "address",
    [
        *["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "100.100.100.200"],
        *["168.63.129.16", "192.0.0.192", "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
        *["198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "::", "::1", "fd00:ec2::254", "fc00::1"],
        *["fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "2001:2::1", "1::1", "::2"],
    ],
)
def test_guarded_addresses_are_refused(address: str) -> None:
    """Nothing inside the operator's network, and nothing that is no ordinary address, is reached by default."""
    verdict = judged(address)
    assert verdict is not None
    assert verdict.outcome is Outcome.BLOCK
    assert (verdict.pillar, verdict.vector, verdict.status) == ("local", "destination", None)
    assert address in verdict.reason
    assert "EVE_PROXY_ALLOWED_NETWORKS" in verdict.reason


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00::1",
    ],
)
def test_public_addresses_pass(address: str) -> None:
    """Ordinary origins are reached."""
    assert judged(address) is None


@given(GUARDED, st.sampled_from(sorted(ENVELOPES)))
def test_no_envelope_smuggles_a_guarded_address(value: int, form: str) -> None:
    """A guarded IPv4 address is refused in every IPv6 form that carries it (but for the zeros of the next test)."""
    assume((value, form) != (0, "local nat64 /96"))
    assert destinations().judge(ENVELOPES[form](value), 443) is not None


def test_the_one_exception_is_the_filling_of_a_shorter_layout() -> None:
    """64:ff9b:1:808:8:800:: is 8.8.8.8 in the /48 layout; its last 32 bits are not taken for 0.0.0.0.

    No translator sends anything to 0.0.0.0, and otherwise no address of the shorter layouts could ever be reached.
    """
    assert judged("64:ff9b:1:808:8:800::") is None
    assert judged("64:ff9b:1:808:8:800:0:1") is not None


@given(PUBLIC, st.sampled_from(UNAMBIGUOUS))
def test_an_envelope_of_a_public_address_passes(value: int, form: str) -> None:
    """Clients behind a translator still reach public origins."""
    assert destinations().judge(ENVELOPES[form](value), 443) is None


@given(GUARDED)
def test_no_spelling_smuggles_a_guarded_address(value: int) -> None:
    """127.1, 0x7f000001, 0177.0.0.1 and 2130706433 are 127.0.0.1."""
    octets = [value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255]
    spellings = [
        str(value),
        hex(value),
        f"0{value:o}",
        f"{octets[0]}.{value & 0xFFFFFF}",
        f"{octets[0]:#x}.{octets[1]}.{value & 0xFFFF:#x}",
        ".".join(f"0{octet:o}" for octet in octets),
        ".".join(map(str, octets)) + ".",
    ]
    for text in spellings:
        address = parse_host(text)[1]
        assert address is not None
        assert destinations().judge(address, 443) is not None, text


@given(PUBLIC, st.integers(1, 65535))
def test_any_public_address_passes(value: int, port: int) -> None:
    """The guard refuses no ordinary address at any port."""
    assert destinations().judge(IPv4Address(value), port) is None


def test_the_reason_shows_what_was_inside() -> None:
    """An operator reads both the address as written and the one that was found in it."""
    verdict = judged("2002:7f00:1::1")
    assert verdict is not None
    assert "2002:7f00:1::1 (which carries 127.0.0.1)" in verdict.reason
    assert len(verdict.reason) <= 200


def test_a_mapped_address_is_called_by_its_name() -> None:
    """The reason speaks of the IPv4 address that would have been dialled."""
    verdict = judged("::ffff:10.0.0.1")
    assert verdict is not None
    assert verdict.reason.startswith("10.0.0.1 is in 10.0.0.0/8")


def test_the_longest_reason_is_not_cut() -> None:
    """The certificate keeps at most 200 characters of a reason; the remedy at its end is still there."""
    verdict = judged("2001:470:ffff:ffff:300:5efe:192.52.193.255")
    assert verdict is not None
    assert len(verdict.reason) <= 200


@pytest.mark.parametrize(
    ("allowed", "address", "port", "passes"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 80, True),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", 80, True),
        ("10.0.0.0/8", "2002:a01:203::1", 80, True),
        ("10.0.0.0/8", "192.168.0.1", 80, False),
        ("10.0.0.0/8", "2001:0:a01:203::8000:1", 80, False),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "::ffff:127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, False),
        ("127.0.0.1:8080", "127.0.0.2", 8080, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("fd00::/8", "fd00::5efe:10.0.0.1", 443, False),
        ("fd00::/8,10.0.0.0/8", "fd00::5efe:10.0.0.1", 443, True),
        ("::/0", "::ffff:127.0.0.1", 443, False),
        ("::/0", "::1", 443, True),
        ("64:ff9b::/96", "64:ff9b::10.1.2.3", 80, False),
        ("169.254.0.0/16", "169.254.169.254", 80, True),
    ],
)
def test_what_the_operator_permits(allowed: str, address: str, port: int, passes: bool) -> None:
    """An entry opens its own addresses in any envelope, and no IPv4 address that hides in a permitted IPv6 network."""
    assert (judged(address, port, allowed=allowed) is None) is passes


@pytest.mark.parametrize(
    ("allowed", "address", "passes"),
    [
        # Unknown layout: 8.8.8.8 in the last 32 bits is 0.0.0.0 in the first layout.
        ("", "64:ff9b:1::8.8.8.8", False),
        ("64:ff9b:1::/96", "64:ff9b:1::8.8.8.8", True),
        ("64:ff9b:1::/96", "64:ff9b:1::10.0.0.1", False),
        ("64:ff9b:1::/96,10.0.0.0/8", "64:ff9b:1::10.0.0.1", True),
        ("64:ff9b:1::/96", "64:ff9b:1:1::8.8.8.8", False),
        ("", "64:ff9b:1:808:8:800::", True),
        ("64:ff9b:1::/48", "64:ff9b:1:808:8:800::", True),
        ("64:ff9b:1::/48", "64:ff9b:1:a00:0:100::", False),
        ("64:ff9b::/40", "64:ff9b:1::8.8.8.8", False),
    ],
)
def test_a_site_tells_its_translators_layout(allowed: str, address: str, passes: bool) -> None:
    """Listing a local NAT64 prefix makes it usable, and what is behind it is still judged."""
    assert (judged(address, allowed=allowed) is None) is passes


class TestOwnListeners:
    """The proxy never connects to itself: a request could be decided by going around in a circle."""

    ALLOW_ALL = "0.0.0.0/0,::/0"

    @pytest.mark.parametrize("wildcard", [None, ip_address("0.0.0.0"), ip_address("::")])
    @pytest.mark.parametrize(
        "address",
        [
            *["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "10.9.9.9", "93.184.216.34", "2001:470::9"],
            *["::ffff:127.0.0.1", "::ffff:10.9.9.9", "64:ff9b::93.184.216.34", "2002:5db8:d822::", "::ffff:0.0.0.0"],
        ],
    )
    def test_a_wildcard_listener_is_every_own_address(self, wildcard: IPAddress | None, address: str) -> None:
        """No spelling of this machine reaches the proxy's port, even where every network is permitted."""
        verdict = destinations(self.ALLOW_ALL, ((wildcard, 3128),)).judge(ip_address(address), 3128)
        assert verdict is not None
        assert verdict.vector == "destination"
        assert "this proxy itself" in verdict.reason
        assert destinations(self.ALLOW_ALL, ((wildcard, 3128),)).judge(ip_address(address), 3129) is None

    @pytest.mark.parametrize(
        ("address", "refused"),
        [
            ("127.0.0.1", True),
            ("::ffff:127.0.0.1", True),
            ("0.0.0.0", True),
            ("::", True),
            ("127.0.0.2", False),
            ("10.9.9.9", False),
            ("::1", False),
        ],
    )
    def test_a_listener_on_one_address(self, address: str, refused: bool) -> None:
        """Another service on the same port of another address stays reachable when it is permitted."""
        judge = destinations(self.ALLOW_ALL, ((ip_address("127.0.0.1"), 3128),)).judge
        assert (judge(ip_address(address), 3128) is not None) is refused

    def test_a_mapped_listener_is_its_ipv4_address(self) -> None:
        """A dual-stack socket's own name for itself does not open a gap."""
        judge = destinations(self.ALLOW_ALL, ((ip_address("::ffff:10.9.9.9"), 3128),)).judge
        assert judge(ip_address("10.9.9.9"), 3128) is not None

    def test_a_zone_hides_no_listener(self) -> None:
        """A link-local listener is the same listener on every interface."""
        judge = destinations(self.ALLOW_ALL, ((ip_address("fe80::1"), 3128),)).judge
        assert judge(ip_address("fe80::1%eth0"), 3128) is not None

    def test_others_at_that_port_are_reached(self) -> None:
        """Port 3128 of a public origin is not ours."""
        assert destinations("", ((None, 3128),)).judge(ip_address("8.8.8.8"), 3128) is None


def test_blocked_networks_bind_what_names_resolve_to() -> None:
    """A name that resolves into a blocked network is refused by the blocklist, permitted network or not."""
    judge = destinations("10.0.0.0/8", blocked="8.8.8.0/24,10.6.6.6,example.com").judge
    for text in ("8.8.8.8", "64:ff9b::8.8.8.8", "10.6.6.6"):
        verdict = judge(ip_address(text), 443)
        assert verdict is not None
        assert verdict.vector == "blocklist"
    assert judge(ip_address("8.8.4.4"), 443) is None
    assert judge(ip_address("10.6.6.7"), 443) is None


def test_an_address_that_becomes_ours_is_denied_from_then_on() -> None:
    """A machine that is given an address while it runs does not let requests loop through it."""
    ours: set[str] = set()
    destinations = Destinations(AllowedNetworks(), [(None, 3128)], lambda address: str(address) in ours)
    for address in (ip_address("93.184.216.34"), ip_address("::ffff:93.184.216.34")):
        assert destinations.judge(address, 3128) is None
        assert destinations.judge(address, 80) is None
    ours.add("93.184.216.34")
    for address in (ip_address("93.184.216.34"), ip_address("::ffff:93.184.216.34")):
        assert destinations.judge(address, 3128) is not None
        assert destinations.judge(address, 80) is None


def test_answers_that_are_kept_are_those_of_this_address_and_port() -> None:
    """However often and in whatever order it is asked, an address gets its own verdict."""
    destinations = Destinations(AllowedNetworks.parse("10.0.0.1:443"), [(None, 3128)], lambda _: False)
    asked = [("10.0.0.1", 443), ("10.0.0.1", 80), ("::a00:1", 443), ("93.184.216.34", 443), ("10.0.0.2", 443)]
    expected = [True, False, True, True, False]
    for _ in range(3):
        assert [destinations.judge(ip_address(text), port) is None for text, port in asked] == expected
