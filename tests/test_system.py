"""The machine's clocks and random numbers."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from eve_proxy.interfaces import IClock, IEntropy
from eve_proxy.system import SystemClock, SystemEntropy


def test_clocks() -> None:
    """They provide the port and go forward."""
    clock = SystemClock()
    assert verifyObject(IClock, clock)
    assert 0 <= clock.monotonic() <= clock.monotonic()
    assert clock.wall() > 1_700_000_000


def test_entropy() -> None:
    """Two hex digits a byte, never the same twice."""
    entropy = SystemEntropy()
    assert verifyObject(IEntropy, entropy)
    one, two = entropy.hex(8), entropy.hex(8)
    assert one != two
    assert len(bytes.fromhex(one)) == 8
