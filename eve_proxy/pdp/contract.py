"""The server's side of the contract (governance-api.md): a document in, a status and a document out. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from eve_proxy.pdp.evaluate import Answer, evaluate
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.question import Asked, BadQuestion, parse_question


def respond(policy: Policy, document: bytes, audit_id: str) -> tuple[int, bytes]:
    """Judge one document.

    :param audit_id: what the answer's ``audit`` calls this evaluation.
    :returns: 200 and the answer, or 400 and ``{"error": ...}`` that says what is wrong with the question.
    """
    try:
        asked = parse_question(document)
        _check_policy_set(policy, asked)
    except BadQuestion as error:
        return 400, problem(str(error))
    answer = evaluate(policy, asked.question)
    return 200, orjson.dumps(_answer(policy, asked.question.id, answer, audit_id))


def problem(text: str) -> bytes:
    """The document of every answer that is not a decision."""
    return orjson.dumps({"error": text})


def _check_policy_set(policy: Policy, asked: Asked) -> None:
    # Judging by another policy than the one that was asked for would be an answer to another question.
    if asked.policy_set is not None and asked.policy_set != policy.name:
        raise BadQuestion(f"policy_set: this decision point serves {policy.name}; set EVE_PROXY_POLICY_SET to it")


def _answer(policy: Policy, request_id: str, answer: Answer, audit_id: str) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "decision": {
            "status": "ALLOWED" if answer.allows else "BLOCKED",
            "reason": answer.reason,
            "matched_pillar": answer.pillar,
            "matched_vector": answer.vector,
        },
        "policy_violations": [] if answer.allows else [_violation(answer)],
        "audit": {"audit_id": audit_id, "policy": {"set": policy.name, "sha256": policy.sha256}},
    }


def _violation(answer: Answer) -> dict[str, str]:
    policy_id = answer.rule
    if answer.pillar is not None:
        policy_id = f"P{answer.pillar}" if answer.vector is None else f"P{answer.pillar}:{answer.vector}"
    return {"policy_id": policy_id, "description": answer.reason}
