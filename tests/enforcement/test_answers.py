"""The answers of evidence.md, case by case."""

from __future__ import annotations

import json

import pytest

from eve_proxy.enforcement import answers
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Decision
from eve_proxy.model.verdict import Outcome, Verdict, refuse
from tests.fakes.ports import FakeSink, drive, exchange_of
from tests.integration.sidecar import head_of

VETO = Verdict(outcome=Outcome.BLOCK, reason="Pillar 128 Violation", pillar="128", vector="706", governor="embedded")


def decided(verdict: Verdict, *, certified: bool = True) -> Decision:
    from eve_proxy.decision.drafting import draft_of

    certificate: DecisionCertificate | None = None
    exchange = exchange_of()
    if certified:
        draft = draft_of(exchange, verdict, latency=0.001412, timestamp="2026-04-16T14:22:03.847Z")
        certificate = drive(FakeSink().record(draft))
    return Decision(exchange=exchange, verdict=verdict, certificate=certificate)


def refused(decision: Decision, *, head_only: bool = False) -> tuple[int, bytes]:
    return answers.refusal(decision.verdict, decision.certificate, head_only=head_only)


def test_veto_is_a_451_with_five_keys() -> None:
    """An application sees what blocked it, and holds the signed proof."""
    status, answer = refused(decided(VETO))
    code, fields, body = head_of(answer)
    assert status == code == 451
    assert fields["x-eve-verdict"] == "BLOCK"
    assert fields["x-eve-pillar"] == "128"
    assert fields["connection"] == "close"
    told = json.loads(body)
    assert list(told) == ["status", "reason", "pillar", "vector", "certificate"]
    assert told["status"] == "BLOCK"
    assert told["certificate"] == json.loads(fields["x-eve-decision-cert"])
    assert int(fields["content-length"]) == len(body)


def test_failure_of_judging_is_a_503_with_the_same_keys() -> None:
    """A timeout is told as FAIL_CLOSED, with its certificate."""
    verdict = Verdict(outcome=Outcome.FAIL_CLOSED, reason="deadline", pillar="114")
    code, fields, body = head_of(refused(decided(verdict))[1])
    assert code == 503
    assert json.loads(body)["status"] == "FAIL_CLOSED"
    assert json.loads(fields["x-eve-decision-cert"])["verdict"] == "fail_closed"
    assert fields["retry-after"] == "1"


def test_body_over_the_limit() -> None:
    """413 with exactly the guide's text."""
    verdict = refuse("body_limit", "body too large for inspection", status=413)
    code, fields, body = head_of(refused(decided(verdict))[1])
    assert (code, body) == (413, b"body too large for inspection")
    assert json.loads(fields["x-eve-decision-cert"])["matched_vector"] == "body_limit"


@pytest.mark.parametrize("certified", [True, False])
def test_client_that_is_not_allowed(certified: bool) -> None:
    """403 in words, certified unless a flood is being counted."""
    verdict = refuse("client", "set EVE_PROXY_ALLOWED_CLIENTS", status=403)
    code, fields, body = head_of(refused(decided(verdict, certified=certified))[1])
    assert code == 403
    assert b"EVE_PROXY_ALLOWED_CLIENTS" in body
    assert ("x-eve-decision-cert" in fields) is certified


def test_signing_failure_has_no_certificate() -> None:
    """503 in words when not even the refusal can be signed."""
    verdict = Verdict(outcome=Outcome.FAIL_CLOSED, reason="signing failed", pillar="114")
    code, fields, body = head_of(refused(decided(verdict, certified=False))[1])
    assert code == 503
    assert body == b"signing failed\n"
    assert "x-eve-decision-cert" not in fields


def test_upstream_error_carries_the_allow() -> None:
    """502 after an allow delivers the certificate of that allow."""
    decision = decided(Verdict(outcome=Outcome.ALLOW, reason="ok"))
    assert decision.certificate is not None
    code, fields, body = head_of(answers.upstream_error("connection refused", decision.certificate, head_only=False))
    assert (code, body) == (502, b"upstream error: connection refused")
    assert json.loads(fields["x-eve-decision-cert"])["verdict"] == "allow"


def test_head_gets_no_body() -> None:
    """A refused HEAD announces the body and leaves it out, so that the connection stays in step."""
    _, fields, body = head_of(refused(decided(VETO), head_only=True)[1])
    assert body == b""
    assert int(fields["content-length"]) > 0


def test_pillar_of_a_hostile_service_cannot_split_the_head() -> None:
    """What the governor says of a pillar never ends a header line."""
    verdict = Verdict(outcome=Outcome.BLOCK, reason="x", pillar="1\r\nSet-Cookie: a", vector=None)
    _, fields, _ = head_of(refused(decided(verdict))[1])
    assert "set-cookie" not in fields


def test_tunnel_is_opened_with_its_certificate() -> None:
    """The 200 of a CONNECT has the certificate and no framing."""
    decision = decided(Verdict(outcome=Outcome.ALLOW, reason="ok"))
    assert decision.certificate is not None
    code, fields, rest = head_of(answers.established(decision.certificate))
    assert (code, rest) == (200, b"")
    assert set(fields) == {"x-eve-decision-cert"}


def test_a_refusal_is_told_whatever_its_text_is_made_of() -> None:
    """A plugin's reason with half a surrogate pair is still a refusal that the client can read."""
    verdict = refuse("plugin", "a\ud800b", status=413)
    code, _, body = head_of(refused(decided(verdict))[1])
    assert (code, body) == (413, b"a?b")
