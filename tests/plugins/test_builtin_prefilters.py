"""The built-in pre-filters as their settings make them."""

from __future__ import annotations

import pytest
from twisted.plugin import IPlugin
from zope.interface.verify import verifyObject

from eve_proxy.interfaces import IPreFilterMaker
from eve_proxy.plugins.builtin_prefilters import allowlist, blocklist, body_limit
from eve_proxy.policy.prefilters import Allowlist, Blocklist, BodyLimit


@pytest.mark.parametrize("maker", [blocklist, allowlist, body_limit])
def test_they_are_drop_ins_like_any_other(maker) -> None:
    """What the documentation asks of a third party, ours do."""
    assert verifyObject(IPlugin, maker)
    assert verifyObject(IPreFilterMaker, maker)
    assert maker.help.endswith(".")


@pytest.mark.parametrize(
    ("maker", "variable", "kind"),
    [(blocklist, "EVE_PROXY_BLOCKED_HOSTS", Blocklist), (allowlist, "EVE_PROXY_ALLOWED_HOSTS", Allowlist)],
)
def test_lists(maker, variable: str, kind: type) -> None:
    """A list in the variable makes the rule; an empty or unset one makes none; a bad one is named with its variable."""
    assert isinstance(maker.make({variable: "example.com"}), kind)
    assert maker.make({variable: ""}) is None
    assert maker.make({}) is None
    with pytest.raises(ValueError, match=rf'^{variable}: "a\.\.b": write'):
        maker.make({variable: "a..b"})


@pytest.mark.parametrize(("text", "most"), [("0", 0), ("2048", 2048), ("", 10485760)])
def test_body_limit(text: str, most: int) -> None:
    """EVE_PROXY_MAX_BODY is the limit, and the guide's 10 MiB when it is unset."""
    assert body_limit.make({"EVE_PROXY_MAX_BODY": text}) == BodyLimit(most=most)


@pytest.mark.parametrize("text", ["10MB", "-1", "1.5", "١٢"])
def test_a_bad_limit(text: str) -> None:
    """A size with a unit is a fault, not a limit of another size."""
    with pytest.raises(ValueError, match="EVE_PROXY_MAX_BODY: write a number of bytes"):
        body_limit.make({"EVE_PROXY_MAX_BODY": text})
