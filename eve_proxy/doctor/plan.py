"""What is to be tried: addresses and names. The defaults are public and well known; air-gapped sites give their own."""

from __future__ import annotations

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
_PROXY_VARIABLES: Final = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")


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


def read_target(text: str) -> Target:
    """``http://host[:port][/path]``, or https.

    :raises ValueError: something else.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or not text.isascii() or " " in text:
        raise ValueError(f"{text}: write http://host/path or https://host/path")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = read_authority(parts.netloc, 443 if parts.scheme == "https" else 80)
    return Target(scheme=parts.scheme, authority=authority, path=path)


def read_direct(text: str) -> Authority:
    """``ADDRESS:PORT``; a name would have to be looked up first.

    :raises ValueError: something else.
    """
    authority = read_authority(text, None)
    if authority.address is None:
        raise ValueError(f"{text}: write a literal address and a port, 192.0.2.1:443 or [2001:db8::1]:443")
    return authority


def read_proxy(text: str) -> Authority:
    """``http://host:port``, as HTTP_PROXY has it; the scheme may be missing.

    :raises ValueError: something else.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme != "http":
        raise ValueError(f"the proxy is reached by http, not {parts.scheme}: write http://host:3128")
    return read_authority(parts.netloc.rpartition("@")[2], 3128)


def read_address(text: str) -> str:
    """A literal address.

    :raises ValueError: something else.
    """
    return str(ip_address(text.strip("[]")))


def read_authority(text: str, default_port: int | None) -> Authority:
    """``host[:port]``.

    :raises ValueError: neither; the message says what is wrong with it.
    """
    try:
        return parse_authority(text, default_port)
    except InvalidAuthority as error:
        raise ValueError(f"{text}: {error.detail}") from error


def proxy_of(environ: Mapping[str, str]) -> str:
    """The proxy that an application here would take, or the daemon's own default."""
    return next((environ[name] for name in _PROXY_VARIABLES if environ.get(name)), PROXY)


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
