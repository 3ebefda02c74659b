"""Which way a permitted destination is reached: directly, or through the parent proxy (docs/parent-proxy.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.policy.suffixes import HostSet

# Names that mean the machine they are said on, whatever a resolver says (RFC 6761 section 6.3).
_LOCAL = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The way to a destination follows from what was judged alone: never from whether the parent proxy works.

    :ivar name: the parent proxy, ``host:port``.
    :ivar direct: EVE_PROXY_UPSTREAM_NO_PROXY.
    :ivar by_name: EVE_PROXY_UPSTREAM_PROXY_BY=name: the parent proxy resolves names.
    """

    name: str
    direct: HostSet
    by_name: bool = False

    def leaves_name(self, authority: Authority) -> bool:
        """Whether ``authority`` is a name that the parent proxy is to resolve.

        Literal addresses are known, and so is ``localhost``: the parent would take it for itself.
        """
        if not self.by_name or authority.address is not None:
            return False
        host = authority.host
        return host != _LOCAL and not host.endswith(f".{_LOCAL}") and authority not in self.direct

    def via(self, authority: Authority, addresses: Sequence[IPAddress]) -> str | None:
        """The parent proxy to go through, or None: directly.

        Directly goes what is listed itself, and a name all of whose addresses are. A name with one address that is
        not listed goes through the parent to whichever of its addresses.

        :param addresses: those that were judged; empty when they are not known.
        """
        return None if authority in self.direct or self.direct.lists_all(addresses) else self.name
