"""Authorities: one canonical text for every spelling of a host, and none for what is not one.

The first byte chooses: the input is an authority's text; or an address and choices of how to spell it.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import idna

from eve_proxy.model.authority import Authority, parse_authority, parse_host
from eve_proxy.model.errors import InvalidAuthority
from fuzz.choices import Choices
from fuzz.corpora import files
from fuzz.opinions import our_request

LONGEST: Final = 256
DICTIONARY: Final = (
    *(b"[", b"]", b"[::1]", b"[::ffff:", b"%25", b"%2e", b"%2E", b"%", b"@", b":", b":0", b":443", b".", b".."),
    *(b"xn--", b"0x", b"0X7f", b"0177", b"017700000001", b"2130706433", b"127.1", b"127.0.0.1", b"0x7f000001", b"00"),
    *(b"4294967296", b"\xe3\x80\x82", b"\xef\xbc\x8e", b"\xef\xbd\xa1", b"\xef\xbc\x91", b"\xc3\x9f", b"\xc2\xad"),
    *(b"\xe2\x80\x8d", b"\xe2\x84\xaa", b"\xc4\xb0", b"\xcc\x81", b"\xd7\x90", b"\xe2\x91\xa0", b"_", b"-", b"a.b"),
    *(b"1e3", b"0b1", b"localhost"),
)

_HOST: Final = re.compile(r"(?!.*\.\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_DOTS: Final = (".", "\u3002", "\uff0e", "\uff61", "%2e", "%2E", "%e3%80%82")

# Where IDNA 2003 and UTS 46 part, whatever the release of Unicode. What we judge is what we resolve and send.
_DEVIATIONS: Final = frozenset(
    "\u00df\u1e9e\u03c2\u200c\u200d"  # the deviations of UTS 46 section 7
    "\u115f\u1160\u3164\uffa0\u17b4\u17b5"  # fillers: letters then, ignored now
    "\U0002f868\U0002f874\U0002f91f\U0002f95f\U0002f9bf"  # Unicode's NormalizationCorrections
)


def seeds() -> Iterator[bytes]:
    """The hosts of the corpus' requests, spellings of addresses, names of several scripts."""
    for data in (*files("valid/*.http"), *files("requests/*.http")):
        head = our_request(data).head
        if head is not None:
            yield b"\x00" + str(head.request.authority).encode()
        yield b"\x00" + data[:200].partition(b"://")[2].partition(b"/")[0]
    for text in (
        "bücher.example",
        "例え.jp:80",
        "faß.de",
        "xn--bcher-kva.example",
        "user@a",
        "a:99999",
        "[fe80::1%25eth0]:1",
    ):
        yield b"\x00" + text.encode()
    for number in range(24):
        yield bytes((1, *b"\x7f\x00\x00\x01", number, number * 7 % 256, number * 11 % 256)) + bytes(
            range(number, number + 30)
        )


def examine(data: bytes) -> None:
    """One text, or one address in one spelling."""
    choices = Choices(data)
    if choices.below(2):
        _spelled(choices)
        return
    text = choices.rest().decode("utf-8", "surrogateescape")
    for default in (None, 80):
        try:
            authority = parse_authority(text, default)
        except InvalidAuthority:
            _refused(text)
        else:
            _accepted(text, authority)


def _accepted(text: str, authority: Authority) -> None:
    host = authority.host
    assert 1 <= authority.port <= 65535
    # The canonical form is a fixed point, in each of the places where it is written.
    assert parse_authority(str(authority), None) == authority, "not a fixed point"
    assert parse_authority(authority.bracketed, authority.port) == authority
    assert parse_authority(authority.host_header("http"), 80) == authority
    assert parse_authority(authority.host_header("https"), 443) == authority
    assert parse_host(authority.bracketed) == (host, authority.address)
    _agrees_with_ipaddress(authority)
    name = _name(text)
    if name is None:
        assert isinstance(authority.address, IPv6Address)
        assert authority.address == _inet_pton(text[1 : text.index("]")]), "another address than inet_pton's"
        return
    assert not isinstance(authority.address, IPv6Address)
    if name.isascii() and "%" not in name:
        expected = name.lower().removesuffix(".")
        found = _inet_aton(expected)
        # We take more for addresses than glibc (WHATWG: "0x" is zero); never less.
        assert authority.address == found or (found is None and authority.address), "a spelling of an address is a name"
        assert authority.address or host == expected, "another host than the one that is spelt"
    _agrees_with_idna(name, authority)


def _refused(text: str) -> None:
    """Only what somebody could read in another way may be refused: a plain name and a plain port are not."""
    name = _name(text)
    if name is None or not name.isascii() or "%" in name or "@" in text:
        return
    port = text[len(name) + 1 :]
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[-6:]) < 65536 and len(port) < 6):
        return
    if not port:
        return  # whether one is needed is the caller's to say
    plain = name.lower().removesuffix(".")
    labels = plain.split(".")
    ldh = all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels) and len(plain) < 254
    number = re.fullmatch(r"0x[0-9a-f]*|[0-9]+", labels[-1])
    assert not ldh or number, "a plain name is refused"
    # Nothing that a socket library takes for an address is left without one, unless it ends in something else.
    if all(len(label) <= 12 for label in labels):  # longer ones are no host of ours, whatever their value
        assert not _inet_aton(plain), "a spelling of an address is refused"


def _agrees_with_ipaddress(authority: Authority) -> None:
    host = authority.host
    if authority.address is not None:
        assert ip_address(host) == authority.address
        assert host == str(authority.address)
        return
    assert _HOST.fullmatch(host), "a host that is not in canonical form"
    assert len(host) <= 253
    # A name must be one to whoever opens the connection as well.
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        raise AssertionError("an address is taken for a name")
    assert _inet_aton(host) is None, "inet_aton takes the name for an address"
    assert not _numeric(host), "getaddrinfo takes the name for an address"


def _agrees_with_idna(name: str, authority: Authority) -> None:
    """Where both know the name: IDNA 2003, which is ours, and IDNA 2008 with the mapping of UTS 46."""
    if name.isascii() or "%" in name or authority.address is not None:
        return
    if not _DEVIATIONS.isdisjoint(name) or _younger_than_idna_2003(name):
        return
    try:
        theirs = idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return
    assert authority.host == theirs.lower().removesuffix("."), "another name than IDNA's"


def _younger_than_idna_2003(name: str) -> bool:
    """A character, or what it is mapped to, has no meaning in Unicode 3.2, which IDNA 2003 is made of (RFC 3454)."""
    meant = (other for each in name for other in each + each.lower() + unicodedata.normalize("NFKC", each))
    return any(unicodedata.ucd_3_2_0.category(each) == "Cn" for each in meant)


def _name(text: str) -> str | None:
    """The host part as it is spelt; None for an address in brackets."""
    return None if text.startswith("[") else text.partition(":")[0]


def _inet_aton(text: str) -> IPv4Address | None:
    # glibc stops at white space; no host has any.
    if not text.isascii() or re.search(r"[\s\0]", text):
        return None
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def _inet_pton(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return None


def _numeric(host: str) -> bool:
    try:
        socket.getaddrinfo(host, 1, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return True


def _spelled(choices: Choices) -> None:
    """Every spelling of an address becomes that address."""
    if choices.below(4) == 0:
        _spelled_v6(choices)
        return
    address = IPv4Address(choices.take(4).ljust(4, b"\0"))
    octets = address.packed
    parts = 1 + choices.below(4)
    numbers = [*octets[: parts - 1], int.from_bytes(octets[parts - 1 :], "big")]
    texts = ["".join(_character(choices, character) for character in _digits(choices, number)) for number in numbers]
    text = choices.of(_DOTS).join(texts) + choices.of(("", "", *_DOTS))
    try:
        authority = parse_authority(f"{text}:80", None)
    except InvalidAuthority as error:
        raise AssertionError(f"a spelling of an address is refused: {text!a}") from error
    assert authority.address == address, f"a spelling of an address is not that address: {text!a}"
    assert authority.host == str(address)


def _digits(choices: Choices, number: int) -> str:
    zeros = "0" * choices.of((0, 0, 0, 1, 2, 9, 20))
    how = choices.below(5)
    if how == 0:
        return f"0{zeros}{number:o}"
    if how == 1:
        return f"0x{zeros}{number:x}"
    if how == 2:
        return f"0X{zeros}{number:X}"
    if how == 3 and number == 0:
        return "0x"
    return str(number)


def _character(choices: Choices, character: str) -> str:
    if choices.below(3):
        return character
    how = choices.below(3)
    if how == 0:
        return f"%{ord(character):02x}"
    return chr(ord(character) + 0xFEE0) if how == 1 else character.swapcase()


def _spelled_v6(choices: Choices) -> None:
    address = IPv6Address(choices.take(16).ljust(16, b"\0"))
    tail = str(IPv4Address(address.packed[12:]))
    head = ":".join(f"{int.from_bytes(address.packed[at : at + 2], 'big'):x}" for at in range(0, 12, 2))
    text = choices.of((str(address), address.exploded, address.exploded.upper(), f"{head}:{tail}"))
    authority = parse_authority(f"[{text}]:80", None)
    assert (authority.address, authority.host) == (address, str(address))
