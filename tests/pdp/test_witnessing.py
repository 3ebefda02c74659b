"""What a decision point signs and writes down of its answers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.errors import SigningFailed
from eve_proxy.model.text import clean
from eve_proxy.pdp.contract import Judged, answer_document, judge
from eve_proxy.pdp.policy_file import load_policy
from eve_proxy.pdp.witnessing import draft_of, witness_of
from eve_proxy.signing.private_key import Ed25519Signer
from eve_proxy.signing.seal import header_value, seal
from eve_proxy.signing.witness import statement
from tests.contract.test_suite import RECORDED
from tests.fakes.journal import link
from tests.fakes.keys import ed25519

POLICY = load_policy()
SIGNER = Ed25519Signer(ed25519(2))
QUESTION: dict[str, Any] = RECORDED["forward-json"]["question"]


def judged(**changes: Any) -> Judged:
    """An answer to the recorded question, with another ``context``."""
    return judge(POLICY, orjson.dumps({**QUESTION, "context": {**QUESTION["context"], **changes}}))


def test_the_answer_bears_a_signature_over_itself() -> None:
    """Whoever asked can verify it with what he asked and what was answered."""
    decided = judged()
    witness = witness_of(decided, SIGNER)
    assert witness is not None
    answer = json.loads(answer_document(POLICY, decided, "aud_7", witness))
    context = QUESTION["context"]
    text = statement(QUESTION["request_id"], context["request"], answer["decision"]["status"], context["log"])
    assert SIGNER.verify(text, answer["witness"]["signature"])
    assert answer["witness"]["key_id"] == SIGNER.key_id
    assert (witness.seq, witness.prev) == (context["log"]["seq"], context["log"]["prev"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "GET"),
        ("scheme", "http"),
        ("host", "evil.example"),
        ("port", 444),
        ("path_sha256", "00" * 32),
        ("path_sha256", None),
        ("body_sha256", "00" * 32),
        ("body_sha256", None),
        ("body_bytes", 20),
        ("request_id", 7),
        ("request_id", "x" * 129),
    ],
)
def test_nothing_is_signed_about_another_request(name: str, value: Any) -> None:
    """A signature over a request that was not judged would be a lie; the question is answered all the same."""
    request = {**QUESTION["context"]["request"], name: value}
    decided = judged(request=request)
    assert decided.status == "ALLOWED"
    assert witness_of(decided, SIGNER) is None
    assert "witness" not in json.loads(answer_document(POLICY, decided, "aud_7"))


@pytest.mark.parametrize(
    "context",
    [
        {"request": None},
        {"request": {}},
        {"request": {**QUESTION["context"]["request"], "more": 1}},
        {"log": None},
        {"log": {"id": "log_1", "seq": 1, "prev": QUESTION["context"]["log"]["prev"]}},
        {"log": {**QUESTION["context"]["log"], "seq": 2**53}},
        {"log": {**QUESTION["context"]["log"], "prev": "sha256-00"}},
        {"log": {**QUESTION["context"]["log"], "more": 1}},
    ],
)
def test_nothing_to_bind_nothing_is_signed(context: dict[str, Any]) -> None:
    """Without the head of a journal, or the certificate's digests, there is nothing that could be compared later."""
    assert witness_of(judged(**context), SIGNER) is None


def test_a_redacted_path_cannot_be_checked_and_is_signed() -> None:
    """With a credential replaced the path's digest is the asker's word, and signed as such."""
    question = RECORDED["forward-credentials"]["question"]
    assert "hmac-" in question["proposed_action"]["path"]
    question["context"]["request"]["path_sha256"] = hashlib.sha256(b"/the real one").hexdigest()
    assert witness_of(judge(POLICY, orjson.dumps(question)), SIGNER) is not None


def test_its_record() -> None:
    """The decision point's journal says who asked what about which journal, what it answered and what it signed."""
    decided = judged()
    witness = witness_of(decided, SIGNER)
    made = draft_of(decided, witness, POLICY, audit_id="aud_00000000000000a1", latency=0.0015, timestamp="t")
    assert witness is not None
    assert (made.certificate_id, made.decision_ref) == ("cert_00000000000000a1", "aud_00000000000000a1")
    assert (made.verdict, made.org_id, made.caller) == ("allow", "bank_tier1_a", "sidecar.forward_proxy.egress")
    assert (made.latency_ms, made.coverage, made.policy) == (1.5, "full", POLICY.ref)
    assert made.record == {
        "question": {
            "request_id": QUESTION["request_id"],
            "status": "ALLOWED",
            "log": QUESTION["context"]["log"],
            "signature": witness.signature,
        }
    }


HOSTILE = st.text(st.sampled_from('"\\\x00\n\x7fa\U0001f600é\u0301\u2028'), min_size=1, max_size=200)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_whatever_a_client_says_can_be_written_down(request_id: str, tenant: str, caller: str) -> None:
    """No question keeps the decision point from recording its answer: that would be a way to make it unavailable."""
    request = {**QUESTION["context"]["request"], "request_id": clean(request_id, 128)}
    changed = {**QUESTION, "request_id": request_id[:128], "tenant_id": tenant, "user": {"id": caller}}
    changed["context"] = {**QUESTION["context"], "request": request}
    decided = judge(POLICY, orjson.dumps(changed))
    witness = witness_of(decided, SIGNER)
    made = draft_of(decided, witness, POLICY, audit_id="aud_" + "0" * 16, latency=1, timestamp="t" * 24)
    assert len(header_value(seal(made, link(10**15), SIGNER))) <= 4096


def test_a_signer_that_fails() -> None:
    """Its message is not repeated."""

    class Broken(Ed25519Signer):
        def sign(self, content_hash: str) -> str:
            raise RuntimeError("hunter2")

    with pytest.raises(SigningFailed, match="RuntimeError") as refused:
        witness_of(judged(), Broken(ed25519()))
    assert "hunter2" not in str(refused.value)
