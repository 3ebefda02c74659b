"""Where a parent proxy is, as an operator writes it."""

from __future__ import annotations

import pytest

from eve_proxy.policy.parent_address import parse_parent_url


@pytest.mark.parametrize(
    ("text", "name", "secure"),
    [
        ("http://proxy.corp.example:3128", "proxy.corp.example:3128", False),
        ("https://PROXY.corp.example.:443/", "proxy.corp.example:443", True),
        ("HTTP://10.0.0.1:8080", "10.0.0.1:8080", False),
        ("http://[2001:db8::1]:3128", "[2001:db8::1]:3128", False),
    ],
)
def test_good(text: str, name: str, secure: bool) -> None:
    """Host and port in their canonical form, and whether TLS is spoken."""
    address = parse_parent_url(text)
    assert (address.name, address.secure) == (name, secure)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("proxy.corp.example:3128", "only http and https"),
        ("socks5://proxy:1080", "only http and https"),
        ("http://proxy", "a port is required"),
        ("http://proxy:", "a port is required"),
        ("https://proxy:0", "1 to 65535"),
        ("http://eve:hunter2@proxy:3128", "EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE"),
        ("http://proxy:3128/path", "a path"),
        ("http://proxy:3128?a=b", "a query"),
        ("http://proxy:3128/#f", "a fragment"),
        ("http://pro xy:3128", "without spaces"),
        ("http://prox\u00fc:3128", "visible ASCII"),
        ("http://:3128", "http://host:port"),
    ],
)
def test_faults(text: str, says: str) -> None:
    """Each says what to write instead, and none repeats what may be a password."""
    with pytest.raises(ValueError) as caught:
        parse_parent_url(text)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
