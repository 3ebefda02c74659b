"""The rule ``sni``: a tunnel's inside must not contradict its outside (security.md, "Destinations").

Host and port of a CONNECT were judged; its ClientHello must name that host. This stops a tunnel to one name that asks
for another at the same front, and a tunnel in which something else than TLS is spoken. It does not see what is said
after the ClientHello (docs/tunnels.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from eve_proxy.model.authority import Authority
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.wire.client_hello import ClientHello, Seen, protocol_name

RULE: Final = "sni"
# TLS alert, fatal, access_denied (RFC 8446 section 6): the client's library says so instead of "unexpected end".
ACCESS_DENIED: Final = b"\x15\x03\x03\x00\x02\x02\x31"
UNSEEN: Final[Mapping[str, Any]] = MappingProxyType({"sni": None, "alpn": None, "ech": None})
_MOST_PROTOCOLS: Final = 4


def objection(authority: Authority, seen: Seen, first: bytes) -> Verdict | None:
    """A refusal of a tunnel to ``authority`` that showed ``seen``, or None.

    :param first: the tunnel's first bytes, to name what is not TLS.
    """
    if not isinstance(seen, ClientHello):
        name = protocol_name(first)
        if name == "TLS":
            return refuse(RULE, f"no acceptable ClientHello in the tunnel: {seen.reason}")
        looks = "" if name == "unknown" else f" (it looks like {name})"
        return refuse(RULE, f"no TLS in the tunnel: {seen.reason}{looks}")
    if seen.sni is None:
        if authority.address is None:
            return refuse(RULE, "the tunnel's ClientHello names no host")
        # GREASE is accepted where the name in the clear was judged. Here there is none, but perhaps one inside.
        return refuse(RULE, "an encrypted ClientHello, and no name in the clear") if seen.ech else None
    if seen.sni != authority.host:
        return refuse(RULE, f"the tunnel's ClientHello names {seen.sni}, not the host that was judged")
    return None


def shown(seen: Seen) -> Mapping[str, Any]:
    """``sni``, ``alpn`` and ``ech`` of a ClientHello for logs and certificates, bounded; ``UNSEEN`` if it is none."""
    if not isinstance(seen, ClientHello):
        return UNSEEN
    alpn = [clean(name.decode("latin-1"), 32) for name in seen.alpn[:_MOST_PROTOCOLS]]
    return {"sni": seen.sni, "alpn": alpn, "ech": seen.ech}
