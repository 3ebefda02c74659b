"""What eve_proxy asks, and what its own decision point answers, held against the published file."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.codec import decode, encode
from eve_proxy.governance.redaction import Redactor
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.digest import request_digest
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.question import parse_question, question_of
from eve_proxy.signing.seal import timestamp
from tests.contract.exchanges_of_ours import LOGS, our_exchanges
from tests.contract.openapi import closed, faults, schema
from tests.contract.suite import read_answer
from tests.pdp.test_question import ACTION, DOCUMENT
from tests.test_governor_site import Conversation

REDACTOR = Redactor(b"k" * 32, ["x-note"])
# Documents near the contract: its names, and values that are sometimes right.
NEAR = st.recursive(
    st.sampled_from(("network.egress", "forward", "https", "utf-8", "full", 443, None)) | st.text(max_size=3),
    lambda inner: (
        st.dictionaries(st.sampled_from([*ACTION, *DOCUMENT, "context", "user"]), inner, max_size=6)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=12,
)


def asked(exchange: Exchange, log: LogLink | None) -> bytes:
    return encode(
        exchange,
        digest=request_digest(exchange),
        timestamp=timestamp(exchange.received_at),
        policy_set="egress_v1",
        redactor=REDACTOR,
        log=log,
    )


@given(our_exchanges(), LOGS)
def test_every_question_is_as_published(exchange: Exchange, log: LogLink | None) -> None:
    """Who built a service from the file understands every question, whichever route it came by."""
    question = json.loads(asked(exchange, log))
    assert faults(schema("EveProxyQuestion"), question) == []
    assert faults(schema("Question"), question) == []
    assert "s3cret" not in str(question)


@given(our_exchanges(), LOGS)
def test_every_question_is_understood_and_every_answer_as_published(exchange: Exchange, log: LogLink | None) -> None:
    """The reference decision point refuses none of our questions, and its answers are taken for what they say."""
    text = asked(exchange, log)
    status, answer = Conversation().post(text)
    assert status == 200, answer
    assert faults(_ANSWER, answer) == []
    said = read_answer(status, json.dumps(answer).encode(), exchange.id)
    verdict = decode(
        status, Headers(), json.dumps(answer).encode(), request_id=exchange.id, name="gov", policy_set="egress_v1"
    )
    assert (said["status"] == "ALLOWED") == (verdict.outcome.value == "allow")
    theirs, ours = parse_question(text).question, question_of(exchange)
    assert (theirs.id, theirs.host, theirs.port, theirs.body) == (ours.id, ours.host, ours.port, ours.body)


@given(NEAR | st.builds(lambda value: {**DOCUMENT, "proposed_action": value}, NEAR))
def test_what_breaks_the_file_is_refused_and_nothing_else(document: Any) -> None:
    """File and reference decision point agree on what a question is, and a refusal says why."""
    status, answer = Conversation().post(json.dumps(document).encode())
    if faults(schema("Question"), document):
        assert status == 400
    if status == 200:
        assert faults(_ANSWER, answer) == []
    else:
        assert faults(schema("Problem"), answer) == []


def _answer_of_the_reference() -> dict[str, Any]:
    whole = closed("Answer")
    # What the reference says beyond the contract: whose rules it judged by.
    policy = {"type": "object", "required": ["set", "sha256"], "additionalProperties": False}
    policy["properties"] = {"set": {"const": "egress_v1"}, "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}
    answer = whole["components"]["schemas"]["Answer"]
    answer["properties"]["audit"]["properties"]["policy"] = policy
    answer["required"] = ["request_id", "decision", "policy_violations", "audit"]
    return whole


_ANSWER = _answer_of_the_reference()
