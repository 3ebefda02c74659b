"""The contract of IPreFilter, over every implementation: ours and a third party's."""

from __future__ import annotations

import importlib.util
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from eve_proxy.interfaces import IPreFilter, Stage
from eve_proxy.model.authority import parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import PERMITS, Verdict
from eve_proxy.policy.destinations import Destinations
from eve_proxy.policy.networks import AllowedNetworks
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.prefilters import (
    Allowlist,
    Blocklist,
    BodyLimit,
    ConnectPort,
    DestinationFilter,
    Passthrough,
)
from eve_proxy.policy.suffixes import HostSet

THIRD_PARTY = Path(__file__).parents[1] / "plugins/thirdparty/eve_proxy/plugins/acme_prefilter.py"


def third_party():
    spec = importlib.util.spec_from_file_location("acme_prefilter_for_conformance", THIRD_PARTY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.acme.make({"EVE_PROXY_ACME_METHODS": "PUT,CONNECT"})


FILTERS = {
    "blocklist": Blocklist(hosts=HostSet.parse("blocked.example,8.8.0.0/16")),
    "allowlist": Allowlist(hosts=HostSet.parse("example.com,9.9.9.9")),
    "body_limit": BodyLimit(most=3),
    "destination": DestinationFilter(judge=Destinations(AllowedNetworks(), (), lambda address: False).judge),
    "connect_port": ConnectPort(ports=PortSet.parse("443")),
    "passthrough": Passthrough(permitted=False),
    "acme_methods": third_party(),
}

EXCHANGES = [
    Exchange(
        id="cert_0123456789abcdef",
        route=route,
        request=Request(
            method=method,
            scheme="https",
            authority=parse_authority(authority, 443),
            target=b"" if method == "CONNECT" else b"/",
            headers=Headers(),
        ),
        peer="127.0.0.1",
        peer_port=40000,
        org_id="default",
        caller=EGRESS_CALLER,
        received_at=1_700_000_000.0,
        coverage=Coverage.FULL,
        body=body,
    )
    for route in Route
    for method in ("GET", "PUT", "CONNECT")
    for authority in ("example.com", "blocked.example:8443", "8.8.8.8", "127.0.0.1:22", "[::ffff:10.0.0.1]", "9.9.9.9")
    for body in (None, Body(chunks=(b"1234",), size=4, sha256="0" * 64, content=b"1234"))
]

every_filter = pytest.mark.parametrize("prefilter", FILTERS.values(), ids=FILTERS)


@every_filter
def test_it_provides_the_port(prefilter) -> None:
    """The pipeline can ask it."""
    assert verifyObject(IPreFilter, prefilter)
    assert isinstance(prefilter.name, str)
    assert 1 <= len(prefilter.name) <= 32
    assert isinstance(prefilter.stage, Stage)


@every_filter
def test_it_refuses_or_is_silent(prefilter) -> None:
    """It answers with a refusal of its own or nothing, and does both: no rule is empty, none is everything."""
    answers = [prefilter.examine(exchange) for exchange in EXCHANGES]
    refusals = [answer for answer in answers if answer is not None]
    assert 0 < len(refusals) < len(answers)
    for refusal in refusals:
        assert type(refusal) is Verdict
        assert PERMITS[refusal.outcome] is False
        assert (refusal.pillar, refusal.vector, refusal.governor) == ("local", prefilter.name, "local")
        assert 0 < len(refusal.reason) <= 200
        assert refusal.reason.isprintable()
        assert not refusal.obligations


@every_filter
def test_the_same_question_has_the_same_answer(prefilter) -> None:
    """A retry is judged like the first try: nothing is remembered, nothing is counted."""
    first = [prefilter.examine(exchange) for exchange in EXCHANGES]
    second = [prefilter.examine(replace(exchange)) for exchange in reversed(EXCHANGES)]
    assert first == second[::-1]


@every_filter
def test_the_clients_name_does_not_matter_to_a_rule_about_destinations(prefilter) -> None:
    """Two tenants and two peers get the same answer: who asks is the governor's business."""
    for exchange in EXCHANGES:
        other = replace(exchange, peer="192.0.2.1", org_id="other", id="cert_fedcba9876543210", received_at=0.0)
        assert prefilter.examine(other) == prefilter.examine(exchange)


@every_filter
def test_it_cannot_be_changed_while_it_runs(prefilter) -> None:
    """A rule that was read at start stays that rule."""
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        prefilter.name = "other"
