"""EVE_PROXY_ALLOWED_CLIENTS: who may use the proxy (security.md, "Who may use the proxy")."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.policy.entries import read_entries
from eve_proxy.policy.network_set import IPNetwork, NetworkSet, parse_network

RULE: Final = "client"
# What stands in ``Exchange.peer`` for a connection over a Unix socket, whose other end has no address.
UNIX_PEER: Final = "unix"

_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_WORDS: Final[dict[str, tuple[IPNetwork, ...]]] = {
    "loopback": _LOOPBACK,
    "private": (
        ip_network("10.0.0.0/8"),
        ip_network("172.16.0.0/12"),
        ip_network("192.168.0.0/16"),
        ip_network("fc00::/7"),
    ),
}


class AllowedClients:
    """Networks that clients may come from. Immutable; asked once per connection or request, so answers are kept."""

    __slots__ = ("_networks", "admits")

    def __init__(self, networks: Iterable[IPNetwork]) -> None:
        self._networks = NetworkSet(networks)
        # ``admits(peer: str) -> bool``: may this peer (an address as text, or UNIX_PEER) use the proxy?
        self.admits = lru_cache(maxsize=4096)(self._admits)

    @classmethod
    def parse(cls, text: str) -> AllowedClients:
        """Read ``loopback``, ``private`` (RFC 1918 and unique local addresses), addresses and CIDRs.

        :raises ValueError: names each bad entry and what to write; also when nothing is listed.
        """
        groups = read_entries(text, _entry)
        if not groups:
            raise ValueError("write loopback, private or CIDRs; nobody could use the proxy otherwise")
        return cls([network for group in groups for network in group])

    def _admits(self, peer: str) -> bool:
        if peer == UNIX_PEER:
            # The other end of a Unix socket is this machine, and the socket's file mode is the finer rule.
            return any(network.network_address in self._networks for network in _LOOPBACK)
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return address in self._networks


def refusal(peer: str) -> Verdict:
    """The certified 403 for a peer that is not admitted."""
    return refuse(RULE, f"client {peer} may not use this proxy; EVE_PROXY_ALLOWED_CLIENTS names who may", status=403)


def _entry(text: str) -> tuple[IPNetwork, ...]:
    word = _WORDS.get(text.lower())
    if word is not None:
        return word
    try:
        return (parse_network(text),)
    except ValueError as error:
        raise ValueError(f"{error}, or one of the words loopback and private") from None
