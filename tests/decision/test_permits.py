"""Permits are made from a recorded decision that opens the gate, and from nothing else (laws 2 and 3)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from eve_proxy.decision.drafting import draft_of
from eve_proxy.decision.permits import NotPermitted, mode_of, permit_for
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Mode
from eve_proxy.model.errors import PermitSpent
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import PERMITS, Outcome, Verdict
from tests.fakes.ports import FakeSink, drive, exchange_of, request_of

ADDRESSES = (ip_address("93.184.216.34"), ip_address("2606:2800:220:1::1"))
OPENING = [outcome for outcome in Outcome if PERMITS[outcome]]


def recorded(exchange: Exchange, verdict: Verdict) -> DecisionCertificate:
    """The certificate as the journal gives it back."""
    return drive(FakeSink().record(draft_of(exchange, verdict, latency=0.001, timestamp="2026-04-16T14:22:03.847Z")))


def verdict_of(outcome: Any) -> Verdict:
    return Verdict(outcome=outcome, reason="said so")


@pytest.mark.parametrize("outcome", OPENING)
def test_a_recorded_decision_that_permits(outcome: Outcome) -> None:
    """The permit names the destination, the judged addresses and the certificate it rests on, and serves once."""
    exchange = exchange_of()
    certificate = recorded(exchange, verdict_of(outcome))
    permit = permit_for(exchange, verdict_of(outcome), certificate, ADDRESSES)
    assert permit.authority == exchange.request.authority
    assert permit.addresses == ADDRESSES
    assert permit.certificate_id == exchange.id
    permit.ticket.take()
    with pytest.raises(PermitSpent):
        permit.ticket.take()


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not PERMITS[outcome]])
def test_every_outcome_that_does_not_permit(outcome: Outcome) -> None:
    """A recorded refusal opens nothing, whichever kind of refusal it is."""
    exchange = exchange_of()
    certificate = recorded(exchange, verdict_of(outcome))
    with pytest.raises(NotPermitted, match="outcome"):
        permit_for(exchange, verdict_of(outcome), certificate, ADDRESSES)


@pytest.mark.parametrize("outcome", ["allow", "ALLOW", True, 1, None])
def test_something_that_is_no_outcome(outcome: Any) -> None:
    """What merely looks like an allow, or is truthy, opens nothing."""
    exchange = exchange_of()
    certificate = recorded(exchange, verdict_of(Outcome.ALLOW))
    with pytest.raises(NotPermitted):
        permit_for(exchange, verdict_of(outcome), certificate, ADDRESSES)


def test_a_certificate_without_a_place_in_the_journal() -> None:
    """No record, no request: a signed certificate alone is not enough."""
    exchange, allow = exchange_of(), verdict_of(Outcome.ALLOW)
    unrecorded = replace(recorded(exchange, allow), log=None)
    with pytest.raises(NotPermitted, match="not recorded"):
        permit_for(exchange, allow, unrecorded, ADDRESSES)


@pytest.mark.parametrize("said", [outcome for outcome in Outcome if outcome is not Outcome.ALLOW])
def test_a_certificate_of_another_verdict(said: Outcome) -> None:
    """The journal must say what is done: an allow on top of any other record opens nothing."""
    exchange = exchange_of()
    certificate = recorded(exchange, verdict_of(said))
    with pytest.raises(NotPermitted, match="not recorded"):
        permit_for(exchange, verdict_of(Outcome.ALLOW), certificate, ADDRESSES)


def test_no_address() -> None:
    """A permit that names no address would leave the choice to whoever dials."""
    exchange, allow = exchange_of(), verdict_of(Outcome.ALLOW)
    with pytest.raises(NotPermitted, match="address"):
        permit_for(exchange, allow, recorded(exchange, allow), ())


def test_a_name_that_a_parent_proxy_resolves() -> None:
    """Without an address the permit names the proxy that will find one; a literal address is never left open."""
    exchange, allow = exchange_of(), verdict_of(Outcome.ALLOW)
    permit = permit_for(exchange, allow, recorded(exchange, allow), (), "proxy.example:3128")
    assert (permit.addresses, permit.via) == ((), "proxy.example:3128")
    literal = exchange_of(request_of("93.184.216.34:80"))
    with pytest.raises(NotPermitted, match="address"):
        permit_for(literal, allow, recorded(literal, allow), (), "proxy.example:3128")


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"scheme": "http"}, Mode.RELAYED),
        ({"scheme": "https"}, Mode.FORWARD),
        ({"scheme": "http", "method": "TRACE"}, Mode.FORWARD),
        ({"scheme": "http", "method": "trace"}, Mode.FORWARD),
        ({"scheme": "http", "method": "TRACK"}, Mode.FORWARD),
        ({"method": "GET", "scheme": "http", "websocket": True}, Mode.UPGRADE),
        ({"method": "CONNECT"}, Mode.TUNNEL),
    ],
)
def test_what_a_permit_by_name_opens(changes: dict[str, Any], mode: Mode) -> None:
    """Plain HTTP is carried out by the proxy; what needs a tunnel has one. With an address everything has."""
    request = request_of(**changes)
    exchange, allow = exchange_of(request), verdict_of(Outcome.ALLOW)
    certificate = recorded(exchange, allow)
    assert permit_for(exchange, allow, certificate, (), "proxy.example:3128").mode is mode
    assert permit_for(exchange, allow, certificate, ADDRESSES, "proxy.example:3128").mode is mode_of(request)


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({}, Mode.FORWARD),
        ({"method": "GET", "websocket": True}, Mode.UPGRADE),
        ({"method": "CONNECT"}, Mode.TUNNEL),
        ({"method": "connect"}, Mode.FORWARD),
    ],
)
def test_what_a_permit_opens(changes: dict[str, Any], mode: Mode) -> None:
    """Only CONNECT opens a tunnel, only an upgrade a WebSocket; methods keep their case."""
    request = request_of(**changes)
    assert mode_of(request) is mode
    exchange, allow = exchange_of(request), verdict_of(Outcome.ALLOW)
    assert permit_for(exchange, allow, recorded(exchange, allow), ADDRESSES).mode is mode
