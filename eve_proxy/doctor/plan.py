"""What is to be tried: addresses and names. The defaults are public and well known; air-gapped sites give their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.errors import InvalidAuthority

PROXY: Final = "http://127.0.0.1:3128"
# IANA keeps these up for whoever needs an example (RFC 2606).
TARGETS: Final = ("http://example.com/", "https://example.com/")
# A public resolver that answers on 80, 443 (also QUIC) and 853 (DNS over TLS), by both IP versions.
DIRECT: Final = tuple(f"{host}:{port}" for host in ("1.1.1.1", "[2606:4700:4700::1111]") for port in (80, 443, 853))
RESOLVER: Final = "1.1.1.1"
# What clouds give their machines, credentials among it.
METADATA: Final[dict[str, str]] = {
    "metadata-v4": "169.254.169.254",
    "metadata-v6": "fd00:ec2::254",
    "metadata-azure": "168.63.129.16",
    "metadata-name": "metadata.google.internal",
}
# SMTP: nobody permits CONNECT to it by chance.
DENIED_PORT: Final = 25
TIMEOUT: Final = 3.0
LONGEST: Final = 60.0
_PROXY_VARIABLES: Final = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_SUFFIX: Final = re.compile(r"\.?[^\s./:@*,]+(\.[^\s./:@*,]+)*\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an application might fetch.

    :ivar path: with its query.
    """

    scheme: str
    authority: Authority
    path: str

    @property
    def url(self) -> str:
        """In absolute form."""
        return f"{self.scheme}://{self.authority.host_header(self.scheme)}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One examination.

    :ivar direct: literal addresses outside.
    :ivar metadata: check name to address or name, port 80.
    :ivar denied_port: one that EVE_PROXY_CONNECT_PORTS does not list.
    :ivar internal: suffixes of names that NO_PROXY may hold.
    :ivar timeout: seconds for each wait.
    """

    proxy: Authority
    targets: tuple[Target, ...]
    direct: tuple[Authority, ...]
    metadata: Mapping[str, str]
    resolver: str = RESOLVER
    denied_port: int = DENIED_PORT
    internal: tuple[str, ...] = ()
    timeout: float = TIMEOUT


def usual() -> Plan:
    """What is tried when nobody says anything else."""
    return Plan(
        proxy=read_proxy(PROXY),
        targets=tuple(map(read_target, TARGETS)),
        direct=tuple(map(read_direct, DIRECT)),
        metadata=METADATA,
    )


def read_target(text: str) -> Target:
    """``http://host[:port][/path]``, or https.

    :raises ValueError: something else.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or not text.isascii() or " " in text:
        raise ValueError("write http://host/path or https://host/path")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = read_authority(parts.netloc, 443 if parts.scheme == "https" else 80)
    return Target(scheme=parts.scheme, authority=authority, path=path)


def read_direct(text: str) -> Authority:
    """``ADDRESS:PORT``; a name would have to be looked up first.

    :raises ValueError: something else.
    """
    write = "write a literal address and a port, 192.0.2.1:443 or [2001:db8::1]:443"
    try:
        authority = parse_authority(text, None)
    except InvalidAuthority as error:
        raise ValueError(f"{error.detail}; {write}") from error
    if authority.address is None:
        raise ValueError(write)
    return authority


def read_proxy(text: str) -> Authority:
    """``http://host:port``, as HTTP_PROXY has it; the scheme may be missing, and a final slash does not count.

    The port is mandatory: clients disagree about what its absence means (80, 1080, 3128).

    :raises ValueError: something else.
    """
    write = "write http://host:port"
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme.lower() != "http":
        raise ValueError(write)
    try:
        return parse_authority(rest.rpartition("@")[2].removesuffix("/"), None)
    except InvalidAuthority as error:
        raise ValueError(write) from error


def read_address(text: str) -> str:
    """A literal address.

    :raises ValueError: something else.
    """
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise ValueError("write an IP address") from None


def read_host(text: str) -> str:
    """A name or a literal address, without a port.

    :raises ValueError: something else.
    """
    write = "write a name or an address, without scheme, port and path"
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        if ":" in text:
            raise ValueError(write) from None
    try:
        return parse_authority(text, 80).host
    except InvalidAuthority as error:
        raise ValueError(write) from error


def read_port(text: str) -> int:
    """From 1 to 65535.

    :raises ValueError: something else.
    """
    if not _NUMBER.fullmatch(text) or not 0 < int(text) < 65536:
        raise ValueError("write a port from 1 to 65535")
    return int(text)


def read_suffix(text: str) -> str:
    """A name, or the end of names; a dot in front does not count.

    :raises ValueError: something else.
    """
    if not _SUFFIX.fullmatch(text):
        raise ValueError("write a name or the end of names, such as corp.example")
    return text


def read_timeout(text: str) -> float:
    """Seconds.

    :raises ValueError: no number, or none that anybody would wait.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"write seconds, more than 0 and at most {LONGEST:g}")
    return seconds


def read_authority(text: str, default_port: int | None) -> Authority:
    """``host[:port]``.

    :raises ValueError: neither; the message says what is wrong with it.
    """
    try:
        return parse_authority(text, default_port)
    except InvalidAuthority as error:
        raise ValueError(error.detail) from error


def proxy_of(environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the proxy that an application here would take, and its text.

    Without one the daemon's own default, which ``--proxy`` stands for.
    """
    return next(((name, environ[name]) for name in _PROXY_VARIABLES if environ.get(name)), ("--proxy", PROXY))


def named(direct: Iterable[Authority]) -> list[tuple[str, Authority]]:
    """A check's name for each: ``tcp-443-v4``, and ``tcp-443-v4-2`` for another one like it."""
    addresses = list(direct)
    return list(zip(numbered(f"tcp-{each.port}-v{version(each)}" for each in addresses), addresses, strict=True))


def numbered(names: Iterable[str]) -> list[str]:
    """The same names, the second of a kind with ``-2`` behind it, and so on."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return result


def version(authority: Authority) -> int:
    """4 or 6, of a literal address."""
    assert authority.address is not None
    return authority.address.version
