"""The server's side of the contract (governance-api.md): a document in, a status and a document out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from eve_proxy.model.verdict import Witness
from eve_proxy.pdp.evaluate import Answer, evaluate
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.question import Asked, BadQuestion, parse_question


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A question and the answer to it."""

    asked: Asked
    answer: Answer

    @property
    def status(self) -> str:
        """The answer's ``decision.status``."""
        return "ALLOWED" if self.answer.allows else "BLOCKED"


def judge(policy: Policy, document: bytes) -> Judged:
    """Read one document, and decide.

    :raises BadQuestion: the document breaks the contract; it is answered 400 with that text (``problem``).
    """
    asked = parse_question(document)
    _check_policy_set(policy, asked)
    return Judged(asked=asked, answer=evaluate(policy, asked.question))


def respond(policy: Policy, document: bytes, audit_id: str) -> tuple[int, bytes]:
    """Judge one document.

    :param audit_id: what the answer's ``audit`` calls this evaluation.
    :returns: 200 and the answer, or 400 and ``{"error": ...}`` that says what is wrong with the question.
    """
    try:
        return 200, answer_document(policy, judge(policy, document), audit_id)
    except BadQuestion as error:
        return 400, problem(str(error))


def answer_document(policy: Policy, judged: Judged, audit_id: str, witness: Witness | None = None) -> bytes:
    """The answer as JSON.

    :param witness: our signature over it, or None.
    """
    document = _answer(policy, judged, audit_id)
    if witness is not None:
        document["witness"] = {"key_id": witness.key_id, "signature": witness.signature}
    return orjson.dumps(document)


def problem(text: str) -> bytes:
    """The document of every answer that is not a decision."""
    return orjson.dumps({"error": text})


def _check_policy_set(policy: Policy, asked: Asked) -> None:
    # Judging by another policy than the one that was asked for would be an answer to another question.
    if asked.policy_set is not None and asked.policy_set != policy.name:
        raise BadQuestion(f"policy_set: this decision point serves {policy.name}; set EVE_PROXY_POLICY_SET to it")


def _answer(policy: Policy, judged: Judged, audit_id: str) -> dict[str, Any]:
    answer = judged.answer
    return {
        "request_id": judged.asked.question.id,
        "decision": {
            "status": judged.status,
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
