"""A proxy does not dial itself, whatever address leads to it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import StringTransport

from eve_proxy.transport.own_ends import OwnEnds


def transport(here: tuple[str, int], there: tuple[str, int]) -> Any:
    kind = IPv6Address if ":" in here[0] else IPv4Address
    return StringTransport(hostAddress=kind("TCP", *here), peerAddress=kind("TCP", *there))


@pytest.mark.parametrize(
    ("here", "there", "loop"),
    [
        (("192.0.2.1", 40000), ("198.51.100.7", 3128), False),
        (("127.0.0.1", 40000), ("127.0.0.1", 3128), True),
        (("127.0.0.1", 40000), ("127.0.0.1", 8080), False),
        (("127.0.0.1", 40000), ("127.0.0.1", 40000), True),
        (("2001:db8::1", 40000), ("2001:db8::1", 3128), True),
        (("2001:db8::1", 40000), ("2001:db8::2", 3128), False),
    ],
)
def test_loops(here: tuple[str, int], there: tuple[str, int], loop: bool) -> None:
    """Our port on one of our addresses is a loop; the same port elsewhere, and other ports here, are not."""
    assert OwnEnds({3128}).enter("token", transport(here, there)) is not loop


def test_recognised_until_it_closes() -> None:
    """A connection that comes back to us is known by where it comes from, as long as it is open."""
    ends = OwnEnds(())
    here = ("192.0.2.1", 3128)
    ends.enter(1, transport(("192.0.2.1", 40000), ("198.51.100.7", 80)))
    assert ends.is_own(("192.0.2.1", 40000), here)
    assert ends.is_own(("::ffff:192.0.2.1", 40000), ("::ffff:192.0.2.1", 3128))
    assert ends.is_own(("192.0.2.1", 40000), ("127.0.0.1", 3128)), "redirected"
    assert not ends.is_own(("192.0.2.1", 40001), here)
    ends.leave(1)
    ends.leave(1)
    assert not ends.is_own(("192.0.2.1", 40000), here)
    assert len(ends) == 0


def test_a_redirected_client_with_the_port_of_ours_is_a_client() -> None:
    """The kernel gives one port to connections with different destinations; only ours was going where ours goes."""
    ends = OwnEnds(())
    ends.enter(1, transport(("10.50.0.2", 40000), ("198.51.100.7", 443)))
    peer, here = ("10.50.0.2", 40000), ("127.0.0.1", 15001)
    assert not ends.is_own(peer, here, ("198.51.100.8", 443))
    assert not ends.is_own(peer, here, ("198.51.100.7", 80))
    assert ends.is_own(peer, here, ("198.51.100.7", 443))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_client_with_the_port_of_ours_is_a_client(address: str) -> None:
    """A local application is not reset because the kernel gave it a port that we use towards a local origin."""
    ends = OwnEnds(())
    ends.enter(1, transport((address, 40000), (address, 8080)))
    assert not ends.is_own((address, 40000), (address, 3128))
    ends.enter(2, transport((address, 40000), (address, 3128)))
    assert ends.is_own((address, 40000), (address, 3128))
    ends.leave(2)
    assert not ends.is_own((address, 40000), (address, 3128))
    assert len(ends) == 1


def test_ports_may_come_later() -> None:
    """Listening ports chosen by the kernel are known only after the dialler was made."""
    ports: set[int] = set()
    ends = OwnEnds(ports)
    ports.add(3128)
    assert ends.enter(1, transport(("127.0.0.1", 40000), ("127.0.0.1", 3128))) is False


def test_unix_sockets_have_no_ports() -> None:
    """A governor behind a Unix socket is never taken for ourselves."""
    unix: Any = StringTransport(hostAddress=UNIXAddress(None), peerAddress=UNIXAddress("/run/governor"))
    assert OwnEnds({3128}).enter(1, unix) is True
