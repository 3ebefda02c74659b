"""Where a parent proxy is: EVE_PROXY_UPSTREAM_PROXY and EVE_PROXY_GOVERNANCE_PROXY, read once (law 6)."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.errors import InvalidAuthority

_WRITE = "write http://host:port or https://host:port"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentAddress:
    """A proxy that we are a client of.

    :ivar authority: its host and port.
    :ivar secure: TLS is spoken to it before anything else.
    """

    authority: Authority
    secure: bool

    @property
    def name(self) -> str:
        """``host:port``: its name in permits, records and messages."""
        return str(self.authority)


def parse_parent_url(text: str, *, variable: str = "EVE_PROXY_UPSTREAM_PROXY") -> ParentAddress:
    """Read ``http://host:port`` or ``https://host:port``; a final slash does not count.

    The port is mandatory: programs disagree about what its absence means (80, 1080, 3128).

    :param variable: whose text it is, for the fault.
    :raises ValueError: with a text for the operator that repeats nothing of the URL: it may hold a password.
    """
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"it must be visible ASCII without spaces; {_WRITE}")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise ValueError(f"only http and https proxies are spoken to; {_WRITE}")
    host, _, more = rest.partition("/")
    if "@" in rest:
        raise ValueError(
            f"it has user and password; put user:password into a file and name that in {variable}_CREDENTIALS_FILE"
        )
    if more or "?" in rest or "#" in rest:
        raise ValueError(f"it has a path, a query or a fragment, which a proxy has not; {_WRITE}")
    try:
        authority = parse_authority(host, None)
    except InvalidAuthority as error:
        raise ValueError(f"{error.detail}; {_WRITE}") from error
    return ParentAddress(authority=authority, secure=scheme.lower() == "https")
