"""The blocklist's examples of security.md, word for word, on every route."""

from __future__ import annotations

import pytest

from eve_proxy.model.exchange import Route
from eve_proxy.policy.prefilters import Blocklist
from eve_proxy.policy.suffixes import HostSet

PASTEBIN = Blocklist(hosts=HostSet.parse("pastebin.com"))


@pytest.mark.parametrize("route", list(Route))
@pytest.mark.parametrize(
    "authority",
    [
        "pastebin.com",
        "PASTEBIN.COM.",
        "x.pastebin.com",
        "pastebin.com:8443",
        "pastebin.com%2e",
        "pastebin%2Ecom",
        "%70astebin.com",
        "pastebin\u3002com",
        "pastebin\uff0ecom",
        "pastebin\uff61com",
        "pastebin.com\u3002",
        "ｐａｓｔｅｂｉｎ.com",
    ],
)
def test_every_spelling_is_blocked_on_every_route(exchange, authority: str, route: Route) -> None:
    """Whoever writes pastebin.com another way, or comes another way, is blocked all the same."""
    method = "CONNECT" if route is Route.CONNECT else "GET"
    verdict = PASTEBIN.examine(exchange(authority, method=method, route=route))
    assert verdict is not None
    assert verdict.vector == "blocklist"


@pytest.mark.parametrize("route", list(Route))
@pytest.mark.parametrize(
    "authority", ["notpastebin.com", "pastebin.com.example", "pastebin.co", "pastebin-com", "com", "pastebin.com-x.org"]
)
def test_other_hosts_are_not(exchange, authority: str, route: Route) -> None:
    """notpastebin.com is somebody else's."""
    assert PASTEBIN.examine(exchange(authority, route=route)) is None


@pytest.mark.parametrize("listed", ["8.8.8.8", "8.8.8.0/24", "134744072", "::ffff:8.8.8.8"])
@pytest.mark.parametrize(
    "authority", ["8.8.8.8:8443", "0x08080808", "010.8.8.8", "[::ffff:808:808]", "[2002:808:808::1]"]
)
def test_addresses_may_be_listed_too(exchange, listed: str, authority: str) -> None:
    """A listed address or network blocks every spelling of its members."""
    assert Blocklist(hosts=HostSet.parse(listed)).examine(exchange(authority)) is not None
