"""The suite itself: its recordings are of the contract, and it takes and refuses the answers that eve_proxy does."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.codec import decode
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Outcome
from eve_proxy.pdp.contract import respond
from eve_proxy.pdp.policy_file import load_policy
from tests.contract import suite
from tests.contract.openapi import faults, schema

POLICY = load_policy()
RECORDED = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((suite.HERE / "exchanges").glob("*.json"))
}
ANSWERS = json.loads((suite.HERE / "answers.json").read_text(encoding="utf-8"))
REQUEST_ID = ANSWERS["request_id"]

every_exchange = pytest.mark.parametrize("exchange", suite.exchanges(), ids=lambda exchange: exchange.name)


def sent(entry: dict[str, Any]) -> bytes:
    """The body of an entry of answers.json."""
    if "base64" in entry:
        return base64.b64decode(entry["base64"])
    text = entry["text"] if "text" in entry else json.dumps(entry["answer"])
    return text.encode().ljust(entry.get("pad", 0))


def ours(status: int, body: bytes, allow_modify: bool = True) -> Outcome:
    """What eve_proxy makes of an answer."""
    verdict = decode(
        status, Headers(), body, request_id=REQUEST_ID, name="gov", policy_set="egress_v1", allow_modify=allow_modify
    )
    return verdict.outcome


# The recordings.


def test_every_route_and_coverage_is_recorded() -> None:
    """A service that passes has seen a question of each kind."""
    questions = [
        each["question"] for each in RECORDED.values() if each["expect"] == "decision" and "beyond" not in each
    ]
    assert {question["proposed_action"]["route"] for question in questions} == {route.value for route in Route}
    assert {question["context"]["coverage"] for question in questions} == {each.value for each in Coverage}
    assert {question["proposed_action"]["body_encoding"] for question in questions} == {"utf-8", "base64", None}


@pytest.mark.parametrize("name", RECORDED)
def test_every_recording_keeps_or_breaks_the_published_file_as_it_says(name: str) -> None:
    """The suite demands nothing that the file does not say."""
    recorded = RECORDED[name]
    assert recorded["about"].endswith(".")
    if recorded["expect"] == "decision":
        assert faults(schema("Question"), recorded["question"]) == []
        assert (faults(schema("EveProxyQuestion"), recorded["question"]) == []) == ("beyond" not in recorded)
        assert faults(schema("Answer"), recorded["answer"]) == []
    elif "question" in recorded and name not in ("malformed-base64", "other-policy-set"):
        # Base64, and which policy sets there are, are beyond what a schema can say.
        assert faults(schema("Question"), recorded["question"]) != []


@every_exchange
def test_the_reference_passes_its_own_suite(exchange: suite.Exchange) -> None:
    """Question by question, without sockets: the verdicts on record are those of the shipped policy."""
    status, body = respond(POLICY, exchange.document, "aud_0000000000000001")
    assert suite.judge(exchange, status, body, reference=True).failure is None
    if exchange.expect == "decision":
        recorded = RECORDED[exchange.name]["answer"]
        assert recorded["decision"] == json.loads(body)["decision"]
        assert suite.judge(exchange, 200, json.dumps(recorded).encode(), reference=True).failure is None


@every_exchange
def test_an_allow_for_everybody_does_not_pass_everything(exchange: suite.Exchange) -> None:
    """The suite can fail: a service that allows whatever it reads fails where it must not, and only there."""
    allow = json.dumps({"request_id": exchange.request_id, "decision": {"status": "ALLOWED"}}).encode()
    passes = suite.judge(exchange, 200, allow).failure is None
    assert passes == (exchange.expect == "decision")
    strictly = suite.judge(exchange, 200, allow, reference=True).failure is None
    assert strictly == (passes and exchange.name != "assembly")
    other = json.dumps({"request_id": "cert_ffffffffffffffff", "decision": {"status": "ALLOWED"}}).encode()
    assert suite.judge(exchange, 200, other).failure is not None


@pytest.mark.parametrize("status", [200, 302, 401, 403, 429, 500])
def test_a_broken_question_wants_4xx_and_no_excuse(status: int) -> None:
    """401 on every question is a missing credential, not a careful reader."""
    exchange = next(each for each in suite.exchanges() if each.name == "malformed-route")
    assert suite.judge(exchange, status, b"{}").failure is not None
    assert suite.judge(exchange, 400, b"{}").failure is None
    assert suite.judge(exchange, 422, b"{}").failure is None


def test_another_policy_set_can_be_asked_for() -> None:
    """A service with rules of its own is asked for those; the exchange about unknown sets keeps its own."""
    by_name = {each.name: each for each in suite.exchanges("mine")}
    assert json.loads(by_name["connect"].document)["policy_set"] == "mine"
    assert json.loads(by_name["other-policy-set"].document)["policy_set"] == "no_such_policy_set"
    assert "policy_set" not in json.loads(by_name["fewest-members"].document)


# Answers, as eve_proxy and the suite read them.


@pytest.mark.parametrize("entry", ANSWERS["accepted"], ids=lambda entry: entry["about"])
def test_answers_that_are_accepted(entry: dict[str, Any]) -> None:
    """A service that answers like this is understood; only an allow permits."""
    assert suite.read_answer(200, sent(entry), REQUEST_ID)["status"] == entry["verdict"]
    assert faults(schema("Answer"), json.loads(sent(entry))) == []
    wanted = Outcome.ALLOW if entry["verdict"] == "ALLOWED" else Outcome.BLOCK
    assert ours(200, sent(entry), allow_modify=False) is wanted
    ours(200, sent(entry))


@pytest.mark.parametrize("entry", ANSWERS["refused"], ids=lambda entry: entry["about"])
def test_answers_that_are_refused(entry: dict[str, Any]) -> None:
    """Nothing leaves on an answer like this, whichever modifications are allowed."""
    for allow_modify in (False, True):
        with pytest.raises(GovernorMisbehaved):
            ours(entry["status"], sent(entry), allow_modify)
    with pytest.raises(suite.Refused):
        suite.read_answer(entry["status"], sent(entry), REQUEST_ID)


def test_a_refusal_on_the_list_is_refused_for_what_it_says() -> None:
    """Each entry with status 200 would pass if its one fault were not there: the question's name is right."""
    named = [entry["answer"] for entry in ANSWERS["refused"] if entry["status"] == 200 and "answer" in entry]
    assert sum(answer.get("request_id") != REQUEST_ID for answer in named) == 3
    assert all(
        entry["answer"]["decision"] == {"status": "ALLOWED"} for entry in ANSWERS["refused"] if entry["status"] != 200
    )


NAMES = ("request_id", "decision", "status", "reason", "policy_violations", "policy_id", "modifications", "field")
VALUES = st.recursive(
    st.sampled_from(("ALLOWED", "BLOCKED", "MODIFIED", "body", "P128", REQUEST_ID, None, 1, True)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
NEAR = st.builds(
    lambda status, decision, members: {**members, "decision": {**decision, "status": status}},
    st.sampled_from(("ALLOWED", "BLOCKED", "MODIFIED", "MAYBE")),
    st.dictionaries(st.sampled_from(("reason", "matched_pillar")), VALUES, max_size=1),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2),
)


@given(NEAR | VALUES, st.booleans())
def test_what_the_suite_passes_eve_proxy_takes(answer: Any, allow_modify: bool) -> None:
    """Who passes the suite is not refused in production, and two readers never see two verdicts."""
    body = json.dumps(answer).encode()
    try:
        said = suite.read_answer(200, body, REQUEST_ID)["status"]
    except suite.Refused:
        return
    assert faults(schema("Answer"), answer) == []
    outcome = ours(200, body, allow_modify)
    if said != "MODIFIED":
        assert outcome is (Outcome.ALLOW if said == "ALLOWED" else Outcome.BLOCK)
