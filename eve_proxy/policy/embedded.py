"""The IPv4 addresses that hide in an IPv6 address.

A kernel, a tunnel or a translator on the way turns these IPv6 addresses into IPv4 packets, so a rule that looks at
the IPv6 text alone can be walked around. What is found here is judged as well (security.md, "Destinations").
An IPv4 address embeds nothing, so one level is all there is.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from eve_proxy.model.authority import IPAddress

_LOW: Final = 0xFFFFFFFF
# The prefix lengths that RFC 6052 section 2.2 defines and that fit into 64:ff9b:1::/48.
LOCAL_NAT64_LENGTHS: Final = (48, 56, 64, 96)


def plain(address: IPAddress) -> IPAddress:
    """The one form in which an address is compared.

    IPv4-mapped (``::ffff:a.b.c.d``) becomes the IPv4 address that the kernel makes of it, and a zone is dropped.
    """
    if isinstance(address, IPv6Address):
        value = int(address)
        if value >> 32 == 0xFFFF:
            return IPv4Address(value & _LOW)
        if address.scope_id is not None:
            return IPv6Address(value)
    return address


def is_local_nat64(address: IPv6Address) -> bool:
    """Within 64:ff9b:1::/48, where each site chooses its own layout (RFC 8215)."""
    return int(address) >> 80 == 0x0064_FF9B_0001


def translated(address: IPv6Address, length: int) -> IPv4Address:
    """The IPv4 address behind a translator's prefix of ``length`` bits (RFC 6052 section 2.2).

    Bits 64 to 71 stay empty in every layout but the last, which is why the shorter ones are in two pieces.

    :param length: one of ``LOCAL_NAT64_LENGTHS``.
    """
    value = int(address)
    if length == 48:
        return IPv4Address((value >> 64 & 0xFFFF) << 16 | value >> 40 & 0xFFFF)
    if length == 56:
        return IPv4Address((value >> 64 & 0xFF) << 24 | value >> 32 & 0xFFFFFF)
    if length == 64:
        return IPv4Address(value >> 24 & _LOW)
    return IPv4Address(value & _LOW)


def embedded_ipv4(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that ``address`` can be read as; empty for an ordinary one.

    IPv4-compatible and IPv4-mapped (RFC 4291 section 2.5.5), SIIT ``::ffff:0:0:0/96`` (RFC 2765), NAT64 (RFC 6052,
    RFC 8215), 6to4 (RFC 3056), Teredo's server and its inverted client (RFC 4380 section 4), ISATAP (RFC 5214).
    """
    value = int(address)
    group = value >> 112
    found: list[int] = []
    if group == 0:
        # ::/96 holds the compatible form, but :: and ::1 are addresses of their own.
        if value >> 32 in (0xFFFF, 0xFFFF_0000) or 1 < value <= _LOW:
            found.append(value & _LOW)
    elif group == 0x64:
        if value >> 32 == 0x0064_FF9B_0000_0000_0000_0000:
            found.append(value & _LOW)
        elif is_local_nat64(address):
            # Nothing in the address tells the site's layout, so each one counts. Zeros where the longest would
            # put its address are the filling of a shorter layout, not a destination.
            found += [int(translated(address, length)) for length in LOCAL_NAT64_LENGTHS[:3]]
            found += [value & _LOW] if value & _LOW else []
    elif group == 0x2002:
        found.append(value >> 80 & _LOW)
    elif value >> 96 == 0x2001_0000:
        found += [value >> 64 & _LOW, ~value & _LOW]
    # The universal and group bits of an ISATAP interface identifier may be set or not.
    if value >> 32 & 0xFCFF_FFFF == 0x5EFE:
        found.append(value & _LOW)
    return tuple(map(IPv4Address, found))
