"""Is an address one of this machine's? The kernel's routing knows, and is asked without sending anything.

Asked only about destinations whose port is one that we listen on, so nothing is remembered: addresses come and go
with interfaces.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from eve_proxy.model.authority import IPAddress

# Any port will do: a UDP connect() chooses a route and a source address, and sends no packet.
_DISCARD: Final = 9


def source_address(destination: IPAddress) -> IPAddress | None:
    """The address that packets to ``destination`` would come from, or None when there is no way to it."""
    family = socket.AF_INET if isinstance(destination, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(destination), _DISCARD))
            return ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None


def is_own_address(address: IPAddress, *, source_of: Callable[[IPAddress], IPAddress | None] = source_address) -> bool:
    """Whether a connection to ``address`` ends on this machine: an own destination is its own source."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:
        # Linux connects the unspecified address to loopback, and 127.0.0.2 would be answered from 127.0.0.1.
        return True
    return source_of(address) == address
