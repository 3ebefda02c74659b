"""What a decision point signs of its answer, and what it writes down of it (evidence.md, "a second witness"). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eve_proxy.model.certificate import Draft
from eve_proxy.model.exchange import Coverage
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import LOCAL, Outcome, Witness
from eve_proxy.pdp.contract import Judged
from eve_proxy.pdp.policy import Policy
from eve_proxy.signing.seal import signed
from eve_proxy.signing.witness import QUESTION, statement

if TYPE_CHECKING:
    from eve_proxy.interfaces import ISigner

UNKNOWN: Final = "unknown"


def witness_of(judged: Judged, signer: ISigner) -> Witness | None:
    """Our signature over the request, our status and the head of the journal we were shown.

    None for a question that does not say what its certificate will say, or shows no head: there is nothing to bind.

    :raises SigningFailed: the signer raised.
    """
    asked = judged.asked
    if asked.digest is None or asked.head is None:
        return None
    text = statement(asked.question.id, asked.digest.to_dict(), judged.status, asked.head.to_dict())
    return Witness(seq=asked.head.seq, prev=asked.head.prev, key_id=signer.key_id, signature=signed(text, signer))


def draft_of(
    judged: Judged, witness: Witness | None, policy: Policy, *, audit_id: str, latency: float, timestamp: str
) -> Draft:
    """The record of one answer in the decision point's own journal.

    :param audit_id: ``aud_`` + 16 hex; the record's id has the same digits.
    :param latency: seconds that judging took.
    """
    asked, answer = judged.asked, judged.answer
    milliseconds = round(latency * 1000, 3)
    question = {
        "request_id": clean(asked.question.id, 128),
        "status": judged.status,
        "log": None if asked.head is None else asked.head.to_dict(),
        "signature": None if witness is None else witness.signature,
    }
    return Draft(
        certificate_id="cert_" + audit_id.removeprefix("aud_"),
        verdict=(Outcome.ALLOW if answer.allows else Outcome.BLOCK).value,
        reason=clean(answer.reason, 200),
        matched_pillar=None if answer.pillar is None else clean(answer.pillar, 32),
        matched_vector=None if answer.vector is None else clean(answer.vector, 32),
        caller=clean(asked.caller or UNKNOWN, 128),
        org_id=clean(asked.tenant or UNKNOWN, 128),
        latency_ms=int(milliseconds) if float(milliseconds).is_integer() else milliseconds,
        timestamp=timestamp,
        request=asked.digest,
        coverage=asked.coverage or Coverage.NONE.value,
        governor=LOCAL,
        policy=policy.ref,
        decision_ref=audit_id,
        record={QUESTION: question},
    )
