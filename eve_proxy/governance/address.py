"""Where the governor is: EVE_PROXY_GOVERNANCE_URL, read once (law 6; governance-api.md, "Connection")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from eve_proxy.governance.codec import EVALUATE
from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.errors import InvalidAuthority

# sun_path holds 108 bytes with its NUL (unix(7)).
_LONGEST_SOCKET: Final = 107
_LOOPBACK6: Final = IPv6Address("::1")


class Kind(Enum):
    """How the governor is reached; the value is the URL's beginning."""

    EMBEDDED = "embedded"
    HTTP = "http"
    HTTPS = "https"
    UNIX = "unix"


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceAddress:
    """A parsed EVE_PROXY_GOVERNANCE_URL.

    :ivar authority: host and port of HTTP and HTTPS, else None.
    :ivar socket_path: absolute path of a Unix socket, else None.
    :ivar base_path: empty, or ``/`` and more, without a slash at the end.
    """

    kind: Kind
    authority: Authority | None = None
    socket_path: str | None = None
    base_path: str = ""

    @property
    def name(self) -> str:
        """The certificate's ``governor``: the host, ``unix:`` and the socket's path, or ``embedded``."""
        if self.authority is not None:
            return self.authority.host
        return self.kind.value if self.socket_path is None else f"unix:{self.socket_path}"

    @property
    def host(self) -> str | None:
        """The canonical host, or None."""
        return None if self.authority is None else self.authority.host

    @property
    def port(self) -> int | None:
        """The port, or None."""
        return None if self.authority is None else self.authority.port

    @property
    def path(self) -> str:
        """The request target of a question."""
        return self.base_path + EVALUATE


def parse_governance_url(url: str, *, insecure: bool = False) -> GovernanceAddress:
    """Read ``embedded``, ``https://host[:port][/base]``, ``http://…``, ``unix:/path`` or ``unix:/path:/base``.

    :param insecure: EVE_PROXY_GOVERNANCE_INSECURE: plain HTTP beyond this machine.
    :raises ValueError: with a text for the operator that repeats nothing of the URL: it may hold a password.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be visible ASCII without spaces")
    if url == Kind.EMBEDDED.value:
        return GovernanceAddress(kind=Kind.EMBEDDED)
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    if "?" in rest or "#" in rest:
        raise ValueError("has a query or a fragment; neither can be sent with a question")
    if colon and scheme == Kind.UNIX.value:
        return _unix(rest)
    if not rest.startswith("//") or scheme not in (Kind.HTTP.value, Kind.HTTPS.value):
        raise ValueError("must be embedded, https://host[:port][/base], http://… or unix:/path")
    return _http(Kind(scheme), rest[2:], insecure)


def _http(kind: Kind, rest: str, insecure: bool) -> GovernanceAddress:
    host, _, base = rest.partition("/")
    if "@" in host:
        raise ValueError("has userinfo; set EVE_PROXY_GOVERNANCE_TOKEN or EVE_PROXY_GOVERNANCE_TOKEN_FILE instead")
    try:
        authority = parse_authority(host, 443 if kind is Kind.HTTPS else 80)
    except InvalidAuthority as error:
        raise ValueError(f"has no usable host: {error}") from error
    if kind is Kind.HTTP and not insecure and not _is_loopback(authority):
        raise ValueError(
            "is plain HTTP to another machine; use https://, or set EVE_PROXY_GOVERNANCE_INSECURE=1 to send bodies"
            " and the token in the clear"
        )
    return GovernanceAddress(kind=kind, authority=authority, base_path=_base("/" + base))


def _unix(rest: str) -> GovernanceAddress:
    path, _, base = rest.partition(":")
    if not path.startswith("/") or path.startswith("//") or path.endswith("/"):
        raise ValueError("needs the absolute path of a socket: unix:/run/governor.sock")
    if len(path) > _LONGEST_SOCKET:
        raise ValueError(f"names a socket path of more than {_LONGEST_SOCKET} bytes, which no system accepts")
    return GovernanceAddress(kind=Kind.UNIX, socket_path=path, base_path=_base(base))


def _base(base: str) -> str:
    base = base.rstrip("/")
    if base and not base.startswith("/"):
        raise ValueError("has a base path that does not begin with a slash")
    if any(part in ("", ".", "..") for part in base.split("/")[1:]):
        raise ValueError("has a base path with an empty or dotted segment")
    return base


def _is_loopback(authority: Authority) -> bool:
    # The name is reserved for loopback (RFC 6761 section 6.3). IPv4-mapped forms are left out: Python versions
    # disagree on them, and nobody needs them here.
    address = authority.address
    if isinstance(address, IPv4Address):
        return address.is_loopback
    return address == _LOOPBACK6 if address is not None else authority.host == "localhost"
