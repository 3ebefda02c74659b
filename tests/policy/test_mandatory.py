"""The rules that no configuration can drop."""

from __future__ import annotations

import pytest

from eve_proxy.interfaces import Stage
from eve_proxy.model.verdict import refuse
from eve_proxy.policy.mandatory import RESERVED_RULES, mandatory_prefilters
from eve_proxy.policy.ports import PortSet


def build(**changes):
    parts = {
        "judge_address": lambda address, port: refuse("destination", "no"),
        "connect_ports": PortSet.parse("443"),
        "connect_passthrough": True,
    }
    return mandatory_prefilters(**{**parts, **changes})


def first_refusal(filters, exchange) -> str | None:
    verdicts = [prefilter.examine(exchange) for prefilter in filters]
    return next((verdict.vector for verdict in verdicts if verdict is not None), None)


@pytest.mark.parametrize(
    ("authority", "method", "passthrough", "expected"),
    [
        ("10.0.0.1:80", "GET", True, "destination"),
        ("10.0.0.1:443", "CONNECT", True, "destination"),
        ("example.com:22", "CONNECT", True, "connect_port"),
        ("example.com:443", "CONNECT", False, "passthrough"),
        ("10.0.0.1:22", "CONNECT", False, "passthrough"),
        ("example.com:443", "CONNECT", True, None),
        ("example.com:80", "GET", False, None),
    ],
)
def test_they_are_always_there(exchange, authority: str, method: str, passthrough: bool, expected: str | None) -> None:
    """Guarded addresses, other ports and unwanted tunnels are refused whatever EVE_PROXY_PREFILTERS says."""
    filters = build(connect_passthrough=passthrough)
    assert first_refusal(filters, exchange(authority, method=method)) == expected


def test_they_look_at_the_head() -> None:
    """They refuse before a body is asked for."""
    assert {prefilter.stage for prefilter in build()} == {Stage.HEAD}


def test_their_names_are_reserved() -> None:
    """No plugin can sign refusals in their name."""
    assert {prefilter.name for prefilter in build()} <= RESERVED_RULES
