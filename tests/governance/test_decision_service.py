"""What a decision service is asked and how its answer is read, as configured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eve_proxy.governance.credential import AuthStyle, Credential
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.redaction import Redactor
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Outcome, Verdict
from tests.fakes.ports import FakeClock, body_of, exchange_of

EXCHANGE = exchange_of(body=body_of(b"hello"))


def service(**changes: Any) -> DecisionService:
    return DecisionService(
        **{
            "name": "gov.example",
            "policy_set": "strict_v2",
            "redactor": Redactor(b"k" * 32),
            "clock": FakeClock(),
            "chain_head": lambda: LogLink(id="log_1", seq=7, prev="sha256-ab"),
            **changes,
        }
    )


def told(asked: DecisionService, reply: tuple[int, Headers, bytes]) -> Verdict:
    return asked.verdict(asked.question(EXCHANGE), reply)


def answer(status: str, **members: Any) -> tuple[int, Headers, bytes]:
    return 200, Headers(), json.dumps({"decision": {"status": status}, **members}).encode()


def test_the_question_is_made_of_exchange_clock_and_chain() -> None:
    """The service can tell which request, when, under which policy, and where our journal stands."""
    asked = json.loads(service().question(EXCHANGE).body)
    assert (asked["request_id"], asked["policy_set"]) == (EXCHANGE.id, "strict_v2")
    assert asked["timestamp"] == "2026-04-16T14:02:23.847Z"
    assert asked["context"]["log"] == {"id": "log_1", "seq": 7, "prev": "sha256-ab"}
    assert json.loads(service(chain_head=lambda: None).question(EXCHANGE).body)["context"]["log"] is None


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (None, {b"content-type": b"application/json", b"accept": b"application/json"}),
        (
            Credential.of(AuthStyle.X_API_KEY, "t0ken"),
            {b"content-type": b"application/json", b"accept": b"application/json", b"x-api-key": b"t0ken"},
        ),
    ],
)
def test_the_fields_of_every_question(credential: Credential | None, expected: dict[bytes, bytes]) -> None:
    """JSON both ways, and the credential where one is configured."""
    assert dict(service(credential=credential).headers()) == expected


def test_the_verdict_names_who_decided() -> None:
    """The certificate will say which service and which policy it was."""
    verdict = told(service(), answer("BLOCKED", request_id=EXCHANGE.id))
    assert (verdict.outcome, verdict.governor) == (Outcome.BLOCK, "gov.example")
    assert verdict.policy is not None
    assert verdict.policy.set == "strict_v2"


def test_an_answer_to_another_question_is_none() -> None:
    """A service that mixes up two requests allows neither."""
    with pytest.raises(GovernorMisbehaved, match="another request"):
        told(service(), answer("ALLOWED", request_id="cert_other"))


@pytest.mark.parametrize(("allow_modify", "outcome"), [(True, Outcome.ALLOW), (False, Outcome.BLOCK)])
def test_modifications_only_where_they_are_configured(allow_modify: bool, outcome: Outcome) -> None:
    """MODIFIED is a block unless EVE_PROXY_ALLOW_MODIFY=1."""
    changes = [{"field": "body", "modified_value": "x"}]
    made = told(service(allow_modify=allow_modify), answer("MODIFIED", modifications=changes))
    assert made.outcome is outcome
