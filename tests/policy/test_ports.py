"""EVE_PROXY_CONNECT_PORTS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.policy.ports import PortSet


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("443", (443,), (1, 442, 444, 65535)),
        ("443, 8443", (443, 8443), (442, 8442, 8444)),
        ("443,9000-9002", (443, 9000, 9001, 9002), (8999, 9003)),
        ("1-65535", (1, 65535), ()),
        ("7-7", (7,), (6, 8)),
        ("*", (1, 22, 65535), ()),
        (" * ", (25,), ()),
    ],
)
def test_ports_and_ranges(text: str, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    """Tunnels reach the listed ports, range ends included, and no neighbour of them."""
    ports = PortSet.parse(text)
    assert all(port in ports for port in inside)
    assert not any(port in ports for port in outside)


@pytest.mark.parametrize(
    "text", ["0", "65536", "9-8", "https", "443-", "-443", "443,*", "4 43", "٤٤٣", "", " ", ",", "1-2-3"]
)
def test_what_is_no_port_is_a_fault(text: str) -> None:
    """A typing error stops the start; it neither opens every port nor closes all."""
    with pytest.raises(ValueError):
        PortSet.parse(text)


def test_each_bad_entry_is_named() -> None:
    """The operator reads which entries to mend."""
    with pytest.raises(ValueError, match=r'"https".*"70000"'):
        PortSet.parse("443,https,70000")


@given(st.integers(1, 65535), st.integers(1, 65535), st.integers(1, 65535))
def test_a_range_holds_exactly_what_lies_between(one: int, other: int, port: int) -> None:
    """A port is open when it lies within the range and otherwise not."""
    low, high = sorted((one, other))
    assert (port in PortSet.parse(f"{low}-{high}")) == (low <= port <= high)
