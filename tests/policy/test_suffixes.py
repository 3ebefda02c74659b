"""Host sets: whole labels, addresses and networks."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.authority import parse_authority
from eve_proxy.policy.suffixes import HostSet

LABELS = st.text(alphabet="abcx0-", min_size=1, max_size=4).filter(
    lambda text: text.strip("-") == text and not text.isdigit()
)
NAMES = st.lists(LABELS, min_size=1, max_size=5).filter(lambda labels: not labels[-1][0].isdigit()).map(".".join)


def touched(text: str, host: str) -> str | None:
    return HostSet.parse(text).touched_by(parse_authority(host, 80))


@pytest.mark.parametrize(
    ("listed", "host", "entry"),
    [
        ("example.com", "example.com", "example.com"),
        ("example.com", "a.b.example.com", "example.com"),
        ("example.com", "badexample.com", None),
        ("example.com", "example.com.evil.net", None),
        ("example.com", "com", None),
        (".example.com", "example.com", "example.com"),
        ("*.example.com", "x.example.com", "example.com"),
        ("EXAMPLE.com.", "x.Example.COM", "example.com"),
        ("bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "www.bücher.example", "xn--bcher-kva.example"),
        ("example。com", "x.example．com", "example.com"),
        ("a.example.com,example.com", "x.a.example.com", "a.example.com"),
        ("com", "example.com", "com"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "0xcb007107", "203.0.113.7"),
        ("203.0.113.7", "[::ffff:203.0.113.7]", "203.0.113.7"),
        ("203.0.113.7", "[64:ff9b::203.0.113.7]", "203.0.113.7"),
        ("203.0.113.7", "[2002:cb00:7107::1]", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.8", None),
        ("203.0.113.7", "x.203.0.113.7.example", None),
        ("203.0.113.0/24", "203.0.113.255", "203.0.113.0/24"),
        ("203.0.113.0/24", "203.0.114.0", None),
        ("::ffff:203.0.113.0/120", "203.0.113.9", "203.0.113.0/24"),
        ("2001:db8::/32", "[2001:db8::1]", "2001:db8::/32"),
        ("2001:db8::1", "[2001:db8:0:0::1]", "2001:db8::1"),
        ("[2001:db8::1]", "[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::/32", "[2001:db9::1]", None),
        ("3405803783", "203.0.113.7", "203.0.113.7"),
        ("", "example.com", None),
    ],
)
def test_what_an_entry_touches(listed: str, host: str, entry: str | None) -> None:
    """A blocked host is blocked in every spelling, and no other host is; the entry that did it is named."""
    assert touched(listed, host) == entry


@pytest.mark.parametrize(
    ("listed", "host", "inside"),
    [
        ("example.com", "x.example.com", True),
        ("example.com", "notexample.com", False),
        ("203.0.113.0/24", "203.0.113.7", True),
        ("203.0.113.0/24", "[::ffff:203.0.113.7]", True),
        ("203.0.113.0/24", "[2002:cb00:7107::1]", False),
        ("203.0.113.0/24", "[64:ff9b::203.0.113.7]", False),
        ("example.com", "203.0.113.7", False),
    ],
)
def test_what_an_allow_list_contains(listed: str, host: str, inside: bool) -> None:
    """Listing an address does not permit a tunnel's or translator's address that merely carries it."""
    assert (parse_authority(host, 80) in HostSet.parse(listed)) is inside


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ("https://example.com", "without scheme"),
        ("example.com/path", "an address or a CIDR"),
        ("example.com:8443", "without a port"),
        ("exa mple.com", "host suffix"),
        ("a..b", "host suffix"),
        ("*", "host suffix"),
        (".", "host suffix"),
        ("*.*.com", "host suffix"),
        ("-x.com", "host suffix"),
        ("1.2.3.256", "host suffix"),
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("2001:db8::g", "an address or a CIDR"),
        ("user@example.com", "host suffix"),
    ],
)
def test_bad_entries_are_named_with_a_remedy(entry: str, remedy: str) -> None:
    """An entry that could never match stops the start; the good ones beside it are not blamed."""
    with pytest.raises(ValueError) as caught:
        HostSet.parse(f"good.example,{entry},other.example")
    assert f'"{entry}"' in str(caught.value)
    assert remedy in str(caught.value)
    assert "good.example" not in str(caught.value)


def test_every_bad_entry_is_reported() -> None:
    """All typing errors of a long list come at once."""
    with pytest.raises(ValueError, match=r'"a\.\.b":.*"x:1":.*"1\.1\.1\.1/0"'):
        HostSet.parse("a..b,fine.example,x:1,1.1.1.1/0")


def test_truth() -> None:
    """An empty list is no rule."""
    assert not HostSet.parse("")
    assert HostSet.parse("x.example")
    assert HostSet.parse("10.0.0.0/8")


def test_a_long_list_is_asked_by_label_not_by_entry() -> None:
    """A list of 100,000 names costs a request no more look-ups than its host has labels."""

    class Counting(frozenset):
        asked = 0

        def __contains__(self, item: object) -> bool:
            Counting.asked += 1
            return super().__contains__(item)

    hosts = HostSet([f"host{number}.example" for number in range(100_000)])
    hosts._names = Counting(hosts._names)
    assert hosts.touched_by(parse_authority("a.b.c.host99999.example", 80)) == "host99999.example"
    assert Counting.asked == 4
    assert hosts.touched_by(parse_authority("a.b.c.elsewhere.example", 80)) is None
    assert Counting.asked == 9


@given(NAMES, NAMES)
def test_matching_is_on_labels(listed: str, host: str) -> None:
    """A host is touched exactly when the listed labels are its last labels."""
    labels, suffix = host.split("."), listed.split(".")
    assert (touched(listed, host) is not None) == (labels[-len(suffix) :] == suffix)


@given(NAMES, LABELS)
def test_names_below_are_touched_and_names_beside_are_not(listed: str, label: str) -> None:
    """x.pastebin.com is pastebin.com's, xpastebin.com is not."""
    assert touched(listed, f"{label}.{listed}") == listed
    assert touched(listed, f"{label}{listed}") is None


@given(st.integers(0, 2**32 - 1))
def test_any_spelling_of_a_listed_address(value: int) -> None:
    """An address is blocked in decimal, hexadecimal, octal, short and mapped form."""
    hosts = HostSet.parse(str(IPv4Address(value)))
    first, rest = value >> 24, value & 0xFFFFFF
    spellings = [
        str(value),
        hex(value),
        f"0{value:o}",
        f"{first}.{rest}",
        f"{first:#x}.{rest:#x}",
        f"[::ffff:{IPv4Address(value)}]",
    ]
    for text in spellings:
        assert hosts.touched_by(parse_authority(text, 80)) is not None, text
