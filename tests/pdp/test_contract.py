"""Documents in, documents out."""

from __future__ import annotations

import json
from typing import Any

import orjson

from eve_proxy.pdp.contract import respond
from eve_proxy.pdp.policy_file import load_policy, parse_policy
from tests.pdp.test_question import DOCUMENT, document

POLICY = load_policy()


def ask(text: bytes, policy: Any = POLICY) -> tuple[int, Any]:
    status, answer = respond(policy, text, "aud_7")
    return status, json.loads(answer)


def test_an_allow_is_complete() -> None:
    """A client finds everything that the contract names."""
    assert ask(document()) == (
        200,
        {
            "request_id": "cert_1",
            "decision": {
                "status": "ALLOWED",
                "reason": "no rule of the policy applies",
                "matched_pillar": None,
                "matched_vector": None,
            },
            "policy_violations": [],
            "audit": {"audit_id": "aud_7", "policy": {"set": "egress_v1", "sha256": POLICY.sha256}},
        },
    )


def test_a_veto_is_complete() -> None:
    """Reason, pillar and vector stand in the decision and in the violation."""
    status, answer = ask(document(body="print('cy' + 'anide')"))
    assert status == 200
    reason = "Pillar 128 Violation: Symbolic Assembly Attack Detected"
    assert answer["decision"] == {
        "status": "BLOCKED", "reason": reason, "matched_pillar": "128", "matched_vector": "706",
    }  # fmt: skip
    assert answer["policy_violations"] == [{"policy_id": "P128:706", "description": reason}]


def test_a_rule_without_pillar_is_named_by_its_id() -> None:
    """An operator finds the rule that blocked."""
    _, answer = ask(document(host="x.pastebin.com"))
    assert answer["decision"]["matched_pillar"] is None
    assert answer["policy_violations"][0]["policy_id"] == "paste-sites"
    policy = parse_policy(b"name: egress_v1\ndefault: block\nrules: [{id: r, verdict: block, pillar: '9', match: {}}]")
    assert ask(document(), policy)[1]["policy_violations"][0]["policy_id"] == "P9"


def test_a_question_for_another_policy_is_refused() -> None:
    """Nobody is judged by a policy they did not ask for."""
    status, answer = ask(orjson.dumps({**DOCUMENT, "policy_set": "strict"}))
    assert status == 400
    assert "serves egress_v1" in answer["error"]
    without = {key: value for key, value in DOCUMENT.items() if key != "policy_set"}
    assert ask(orjson.dumps(without))[0] == 200


def test_a_bad_question_is_400_with_a_reason() -> None:
    """A client with a defect is told, and never gets a decision."""
    for text in (b"{", b"\xff", b'{"a": NaN}', b'{"a": 1, "a": 1}'):
        status, answer = ask(text)
        assert (status, list(answer)) == (400, ["error"])
        assert answer["error"].startswith("the request is not strict JSON: ")
