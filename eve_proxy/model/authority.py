"""Where a request wants to go: one canonical host and port, made once at the edge (law 6).

Every spelling of a host that some resolver or socket library would accept ends in the same text, so that no
rule can be dodged by spelling: case, trailing dot, percent-coding, IDNA, and every form of an IPv4 address
that ``inet_aton`` takes. Sources: RFC 3986 section 3.2, RFC 9110 section 4.2, WHATWG URL "host parsing".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote_to_bytes

from eve_proxy.model.errors import InvalidAuthority

IPAddress = IPv4Address | IPv6Address

# LDH plus the underscore, which real service names use.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")
# Longer texts are refused before the IDNA codec, whose work is not linear in its input.
_LONGEST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A canonical destination.

    :ivar host: lower-case A-labels without trailing dot, or the canonical text of an address without brackets.
    :ivar port: 1 to 65535.
    :ivar address: the address when ``host`` is a literal, else None.
    """

    host: str
    port: int
    address: IPAddress | None = None

    def __str__(self) -> str:
        """``host:port``, an IPv6 host in brackets: the form of CONNECT and of log lines."""
        return f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host

    def host_header(self, scheme: str) -> str:
        """The value of ``Host``: the port only where it is not the scheme's default (RFC 9110 section 7.2)."""
        default = 443 if scheme == "https" else 80
        return self.bracketed if self.port == default else str(self)


@lru_cache(maxsize=4096)
def parse_authority(text: str, default_port: int | None) -> Authority:
    """Read ``host[:port]``.

    :param default_port: the port of an authority that names none; None where one is required (CONNECT).
    :raises InvalidAuthority: userinfo, a missing or impossible port, a host without canonical form.
    """
    if "@" in text:
        raise InvalidAuthority("userinfo in an authority is not accepted; send credentials in a header")
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise InvalidAuthority("an IPv6 address needs brackets: [address]:port")
        host, colon, port = host + "]", rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    return _authority(host, _port(port, bool(colon), default_port))


def parse_host(text: str) -> tuple[str, IPAddress | None]:
    """The canonical form of a host, and its address when it is a literal.

    :raises InvalidAuthority: nothing canonical can be made of it.
    """
    authority = _authority(text, 1)
    return authority.host, authority.address


def _port(text: str, given: bool, default: int | None) -> int:
    if not text:
        # "host:" is valid in RFC 3986; for CONNECT (no default) it names nothing.
        if default is None:
            raise InvalidAuthority("a port is required: host:port")
        return default
    if not _PORT.match(text) or not 1 <= int(text) <= 65535:
        raise InvalidAuthority("the port is not a number from 1 to 65535")
    return int(text)


def _authority(text: str, port: int) -> Authority:
    if text.startswith("["):
        return _ipv6(text, port)
    host = _name(text)
    address = _ipv4(host)
    return Authority(host=str(address) if address else host, port=port, address=address)


def _ipv6(text: str, port: int) -> Authority:
    if not text.endswith("]"):
        raise InvalidAuthority("an IPv6 address needs brackets: [address]:port")
    inner = text[1:-1]
    if "%" in inner:
        raise InvalidAuthority("IPv6 zone identifiers are not accepted")
    try:
        address = IPv6Address(inner)
    except (AddressValueError, ValueError) as error:
        raise InvalidAuthority("not an IPv6 address in brackets") from error
    return Authority(host=str(address), port=port, address=address)


def _name(text: str) -> str:
    if not text or len(text) > _LONGEST:
        raise InvalidAuthority("the host is empty or too long")
    if "%" in text:
        try:
            text = unquote_to_bytes(text.encode("utf-8")).decode("utf-8")
        except UnicodeError as error:
            raise InvalidAuthority("the host is percent-coded, but not as UTF-8") from error
    if not text.isascii():
        text = _to_ascii(text)
    host = text.lower()
    if host.endswith("."):
        host = host[:-1]
    if not host or len(host) > 253 or not all(map(_LABEL.match, host.split("."))):
        raise InvalidAuthority("the host is not a valid name or address")
    return host


def _to_ascii(text: str) -> str:
    # The standard library's codec (IDNA 2003, RFC 3490) also maps the ideographic and fullwidth dots to ".".
    # What it makes is what we judge, resolve and send: nobody downstream maps it a second time.
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidAuthority("the host is not a valid internationalised name") from error


def _ipv4(host: str) -> IPv4Address | None:
    """An IPv4 address in any spelling of ``inet_aton``, or None for a name (WHATWG URL, "ends in a number")."""
    parts = host.split(".")
    if not _NUMBER.match(parts[-1]):
        return None
    if len(parts) > 4 or not all(map(_NUMBER.match, parts)):
        raise InvalidAuthority("a host that ends in a number must be an IPv4 address")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError as error:
        raise InvalidAuthority("not an IPv4 address in any spelling") from error
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        raise InvalidAuthority("an IPv4 address is out of range")
    value = last
    for position, number in enumerate(numbers):
        value += number << (8 * (3 - position))
    return IPv4Address(value)


def _number(text: str) -> int:
    if text[:2] == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8) if len(text) > 1 and text[0] == "0" else int(text)
