"""Which addresses are this machine's."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from eve_proxy.model.authority import IPAddress
from eve_proxy.transport.locality import is_own_address

OWN = ip_address("192.0.2.1")


def source_of(destination: IPAddress) -> IPAddress | None:
    """A machine with one address and no IPv6."""
    return OWN if destination.version == 4 else None


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.2", False),
        ("2001:db8::1", False),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("::", True),
    ],
)
def test_own_addresses(address: str, own: bool) -> None:
    """Our listener is denied under every address of this machine, and a neighbour's is not."""
    assert is_own_address(ip_address(address), source_of=source_of) is own
