"""Hosts and ports have one spelling."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.authority import Authority, parse_authority, parse_host
from eve_proxy.model.errors import InvalidAuthority


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("API.Example.COM", "api.example.com:80"),
        ("api.example.com.", "api.example.com:80"),
        ("api.example.com:", "api.example.com:80"),
        ("api.example.com:8443", "api.example.com:8443"),
        ("pastebin.com%2e", "pastebin.com:80"),
        ("p%61stebin.com", "pastebin.com:80"),
        ("pastebin\u3002com", "pastebin.com:80"),
        ("pastebin\uff0ecom", "pastebin.com:80"),
        ("pastebin\uff61com", "pastebin.com:80"),
        ("pastebin%E3%80%82com", "pastebin.com:80"),
        ("b\u00fccher.example", "xn--bcher-kva.example:80"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example:80"),
        ("\u24df\u24d0\u24e2\u24e3\u24d4bin.com", "pastebin.com:80"),
        ("_dmarc.example.com", "_dmarc.example.com:80"),
        ("127.0.0.1", "127.0.0.1:80"),
        ("127.1", "127.0.0.1:80"),
        ("0177.0.0.1", "127.0.0.1:80"),
        ("0x7F.0.0.1", "127.0.0.1:80"),
        ("2130706433", "127.0.0.1:80"),
        ("017700000001", "127.0.0.1:80"),
        ("0x7f000001", "127.0.0.1:80"),
        ("127.0.0.1.", "127.0.0.1:80"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1:80"),
        ("[::1]", "[::1]:80"),
        ("[0:0:0:0:0:0:0:1]:443", "[::1]:443"),
        ("[::FFFF:127.0.0.1]", "[::ffff:7f00:1]:80"),
    ],
)
def test_canonical_form(text: str, canonical: str) -> None:
    """However an application spells a host, rules, logs and the dialler see one text."""
    # CPython 3.13 spells mapped addresses with a dotted quad.
    assert str(parse_authority(text, 80)).replace("127.0.0.1]", "7f00:1]") == canonical


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ":80", "a b", "a\tb", "a\0b", "-a.example", "a-.example", "a" * 64 + ".example",
        ".".join(["a" * 60] * 5), "user@example.com", "user:pw@example.com:80", "example.com:0", "example.com:65536",
        "example.com:http", "example.com:+80", "example.com:80:80", "example.com:\u0661", "1.2.3.4.5", "1.2.3.256",
        "256.1", "4294967296", "09.1", "1.2.3.x4.5", "::1", "[::1", "::1]", "[::1]x", "[::1]80", "[1.2.3.4]",
        "[fe80::1%25eth0]", "[fe80::1%eth0]", "%ff.example", "a%00b", "ex\u00e4\u0000mple", "a?b", "a#b",
        "a\\b", "exa\u200bmple.com\0", "\ud800.example", "a" * 2000,
    ],
)  # fmt: skip
def test_what_has_no_canonical_form_is_refused(text: str) -> None:
    """On doubt nothing is made of it: 400, and nothing is dialled."""
    with pytest.raises(InvalidAuthority):
        parse_authority(text, 80)


@pytest.mark.parametrize("text", ["example.com", "example.com:"])
def test_connect_needs_a_port(text: str) -> None:
    """CONNECT without a port names nothing."""
    with pytest.raises(InvalidAuthority):
        parse_authority(text, None)


@given(
    labels=st.lists(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,10}[A-Za-z_]", fullmatch=True), min_size=1, max_size=5),
    dot=st.sampled_from(["", ".", "%2e", "%2E"]),
    port=st.integers(1, 65535),
)
def test_normalising_twice_equals_once(labels: list[str], dot: str, port: int) -> None:
    """The canonical text is its own canonical text."""
    try:
        once = parse_authority(f"{'.'.join(labels)}{dot}:{port}", None)
    except InvalidAuthority:
        return  # 0x… labels that end a name
    assert parse_authority(str(once), None) == once
    assert once.host == once.host.lower()


@given(st.text(max_size=40))
def test_any_text_is_canonical_or_refused(text: str) -> None:
    """No text crashes the edge, and what is accepted is stable, ASCII and lower case."""
    try:
        once = parse_authority(text, 80)
    except InvalidAuthority:
        return
    assert once.host.isascii()
    assert once.host == once.host.lower()
    assert parse_authority(str(once), None) == once


@given(st.integers(0, 2**32 - 1), st.data())
def test_every_spelling_of_an_ipv4_address(value: int, data: st.DataObject) -> None:
    """Octal, hex, decimal and short forms all end in the same address."""
    parts = list(value.to_bytes(4, "big"))
    split = data.draw(st.integers(0, 3))
    numbers = [*parts[:split], int.from_bytes(bytes(parts[split:]), "big")]
    spell = st.sampled_from(["{:d}", "0{:o}", "0x{:x}", "0X{:X}"])
    text = ".".join(data.draw(spell).format(number) for number in numbers)
    host, address = parse_host(text)
    assert address == IPv4Address(value)
    assert host == str(address)


@given(st.ip_addresses(v=6))
def test_ipv6(address: object) -> None:
    """An IPv6 literal keeps its value and gets brackets only where a URL needs them."""
    parsed = parse_authority(f"[{address}]:8080", None)
    assert parsed.address == address
    assert parsed.bracketed == f"[{parsed.host}]"


def test_host_header() -> None:
    """The default port of the scheme is left out, any other is told (RFC 9110 section 7.2)."""
    assert Authority(host="a.example", port=80).host_header("http") == "a.example"
    assert Authority(host="a.example", port=80).host_header("https") == "a.example:80"
    assert Authority(host="a.example", port=443).host_header("https") == "a.example"
    literal = Authority(host="::1", port=81, address=ip_address("::1"))
    assert literal.host_header("http") == "[::1]:81"
