"""Which way follows from what was judged."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from eve_proxy.model.authority import parse_authority
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways

PARENT = "proxy.corp.example:3128"
LISTED = "corp.example,10.0.0.0/8,2001:db8::/32"


def ways(direct: str = LISTED, *, by_name: bool = False) -> Ways:
    return Ways(name=PARENT, direct=HostSet.parse(direct), by_name=by_name)


@pytest.mark.parametrize(
    ("host", "addresses", "via"),
    [
        ("api.example.com", ["93.184.216.34"], PARENT),
        ("corp.example", ["93.184.216.34"], None),
        ("wiki.corp.example", ["93.184.216.34"], None),
        ("notcorp.example", ["93.184.216.34"], PARENT),
        ("10.1.2.3", ["10.1.2.3"], None),
        ("11.1.2.3", ["11.1.2.3"], PARENT),
        ("api.example.com", ["10.1.2.3"], None),
        ("api.example.com", ["10.1.2.3", "2001:db8::7"], None),
        ("api.example.com", ["10.1.2.3", "93.184.216.34"], PARENT),
        ("api.example.com", ["::ffff:10.1.2.3"], None),
        ("api.example.com", [], PARENT),
    ],
)
def test_the_way(host: str, addresses: list[str], via: str | None) -> None:
    """Directly goes a listed name, a listed address, and a name all of whose addresses are listed; nothing else."""
    authority = parse_authority(f"[{host}]:443" if ":" in host else f"{host}:443", None)
    assert ways().via(authority, tuple(map(ip_address, addresses))) == via


@pytest.mark.parametrize(
    ("host", "leaves"),
    [
        ("api.example.com", True),
        ("intranet", True),
        ("wiki.corp.example", False),
        ("93.184.216.34", False),
        ("0x7f.1", False),
        ("[2001:db8:1::1]", False),
        ("localhost", False),
        ("LOCALHOST.", False),
        ("app.localhost", False),
        ("notlocalhost", True),
    ],
)
def test_names_for_the_parent(host: str, leaves: bool) -> None:
    """Only by name, and only what is neither an address, nor this machine, nor listed."""
    authority = parse_authority(f"{host}:443", None)
    assert ways(by_name=True).leaves_name(authority) is leaves
    assert ways().leaves_name(authority) is False


def test_nothing_is_listed() -> None:
    """Without EVE_PROXY_UPSTREAM_NO_PROXY everything goes through the parent."""
    assert ways("").via(parse_authority("10.1.2.3:80", None), (ip_address("10.1.2.3"),)) == PARENT
