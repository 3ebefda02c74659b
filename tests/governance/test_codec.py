"""What the decision service is asked, and which of its answers permit."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.codec import MAX_ANSWER, decode, encode
from eve_proxy.governance.errors import CredentialRefused, RateLimited
from eve_proxy.governance.redaction import Redactor
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.digest import request_digest
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Modification, Outcome, PolicyRef, Verdict, Witness
from tests.fakes.ports import body_of, exchange_of, request_of

REDACTOR = Redactor(b"k" * 32)
ID = "cert_0123456789abcdef"
SECRET_TEXT = "the governor said something private"


def asked(exchange: Exchange, log: LogLink | None = None) -> Any:
    question = encode(
        exchange,
        digest=request_digest(exchange),
        timestamp="2026-04-16T14:22:03.847Z",
        policy_set="egress_v1",
        redactor=REDACTOR,
        log=log,
    )
    return json.loads(question)


def answer(**members: Any) -> bytes:
    return json.dumps({"request_id": ID, "decision": {"status": "ALLOWED"}, **members}).encode()


def decided(body: bytes, *, status: int = 200, headers: Headers | None = None, allow_modify: bool = False) -> Verdict:
    return decode(
        status,
        headers or Headers(),
        body,
        request_id=ID,
        name="gov.example",
        policy_set="egress_v1",
        allow_modify=allow_modify,
    )


# The question.


def test_the_question_is_the_contract_s_example() -> None:
    """A service that speaks the public contract understands us, member by member and in its order."""
    exchange = exchange_of(
        request_of("api.example.com:443", scheme="https"), id=ID, body=body_of(b'{"prompt": "hello"}')
    )
    question = encode(
        exchange,
        digest=request_digest(exchange),
        timestamp="2026-04-16T14:22:03.847Z",
        policy_set="egress_v1",
        redactor=REDACTOR,
        log=LogLink(id="log_1", seq=41, prev="sha256-ab"),
    )
    assert exchange.body is not None
    expected = {
        "request_id": ID,
        "timestamp": "2026-04-16T14:22:03.847Z",
        "tenant_id": "bank_tier1_a",
        "policy_set": "egress_v1",
        "user": {"id": "sidecar.forward_proxy.egress", "role": "egress_proxy"},
        "proposed_action": {
            "type": "network.egress",
            "route": "forward",
            "method": "POST",
            "scheme": "https",
            "host": "api.example.com",
            "port": 443,
            "path": "/v1/completions",
            "headers": [["content-type", "application/json"]],
            "body": '{"prompt": "hello"}',
            "body_encoding": "utf-8",
            "body_bytes": 19,
            "body_sha256": exchange.body.sha256,
        },
        "context": {
            "coverage": "full",
            "request": {
                "method": "POST",
                "scheme": "https",
                "host": "api.example.com",
                "port": 443,
                "path_sha256": sha256(b"/v1/completions").hexdigest(),
                "body_sha256": exchange.body.sha256,
                "body_bytes": 19,
                "request_id": None,
            },
            "log": {"id": "log_1", "seq": 41, "prev": "sha256-ab"},
        },
    }
    assert question == json.dumps(expected, separators=(",", ":")).encode()


def test_a_tunnel_has_neither_path_nor_body() -> None:
    """What was not seen is null, and the service is told that only the destination is judged."""
    request = request_of("api.example.com:443", method="CONNECT", scheme="https", target=b"")
    said = asked(exchange_of(request, route=Route.CONNECT, coverage=Coverage.DESTINATION))
    action = said["proposed_action"]
    assert [action[name] for name in ("path", "body", "body_encoding", "body_bytes", "body_sha256")] == [None] * 5
    assert (said["context"]["coverage"], said["context"]["log"]) == ("destination", None)
    assert said["context"]["request"]["path_sha256"] is None


def test_an_empty_body_is_not_an_unread_one() -> None:
    """A service can tell a request without content from one whose body nobody read."""
    action = asked(exchange_of(body=body_of(b"")))["proposed_action"]
    assert (action["body"], action["body_encoding"], action["body_bytes"]) == ("", "utf-8", 0)


def test_a_body_that_is_not_text_is_sent_in_base64() -> None:
    """Binary content reaches the service whole."""
    action = asked(exchange_of(body=body_of(b"\xff\x00\xfe")))["proposed_action"]
    assert (action["body"], action["body_encoding"]) == ("/wD+", "base64")


def test_a_compressed_body_is_sent_decoded_and_digested_as_received() -> None:
    """The service judges what the origin will read; the digest is the certificate's."""
    body = Body(chunks=(b"gz",), size=2, sha256="ab" * 32, content=b"decoded")
    action = asked(exchange_of(body=body))["proposed_action"]
    assert (action["body"], action["body_bytes"], action["body_sha256"]) == ("decoded", 2, "ab" * 32)


def test_credentials_do_not_leave_for_the_service() -> None:
    """Neither a header nor a query parameter that holds a credential shows its value."""
    headers = Headers.of([(b"Authorization", b"Bearer s3cret"), (b"X-Trace", b"1")])
    action = asked(exchange_of(request_of(headers=headers, target=b"/x?key=s3cret&a=1")))["proposed_action"]
    assert "s3cret" not in json.dumps(action)
    assert action["headers"][1] == ["x-trace", "1"]
    assert action["path"].startswith("/x?key=hmac-")
    assert action["path"].endswith("&a=1")


@given(value=st.binary(max_size=30), target=st.binary(max_size=30), content=st.binary(max_size=60))
def test_any_bytes_can_be_asked_about(value: bytes, target: bytes, content: bytes) -> None:
    """No header, path or body makes the question impossible to write, and the body arrives unchanged."""
    request = request_of(headers=Headers.of([(b"x-any", value)]), target=target)
    action = asked(exchange_of(request, body=body_of(content)))["proposed_action"]
    if action["body_encoding"] == "utf-8":
        assert action["body"].encode() == content
    else:
        import base64

        assert base64.b64decode(action["body"]) == content
    assert isinstance(action["headers"][0][1], str)


# Answers that are verdicts.


def test_an_allow_permits() -> None:
    """A well-formed ALLOWED to this question lets the request out, with the service's words in the certificate."""
    body = answer(
        decision={"status": "ALLOWED", "reason": "fine", "matched_pillar": "7", "matched_vector": "1"},
        audit={"audit_id": "aud_1", "hash": "x", "signature": "y"},
        policy_violations=[],
        modifications=[],
    )
    assert decided(body) == Verdict(
        outcome=Outcome.ALLOW,
        reason="fine",
        pillar="7",
        vector="1",
        governor="gov.example",
        policy=PolicyRef(set="egress_v1", sha256=None),
        decision_ref="aud_1",
    )


def test_a_missing_request_id_is_accepted() -> None:
    """Some published examples omit it."""
    assert decided(b'{"decision":{"status":"ALLOWED"}}').outcome is Outcome.ALLOW


def test_a_block_blocks_and_says_why() -> None:
    """The client's 451 names reason, pillar and vector."""
    verdict = decided(
        answer(
            decision={"status": "BLOCKED"},
            policy_violations=[
                {"policy_id": "INTERNAL-7"},
                {"policy_id": "P128:706", "description": "Symbolic Assembly"},
                {"policy_id": "P89", "description": "other"},
            ],
        )
    )
    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCK, "Symbolic Assembly")
    assert (verdict.pillar, verdict.vector) == ("128", "706")


@pytest.mark.parametrize(("status", "reason"), [("ALLOWED", "allowed by policy"), ("BLOCKED", "blocked by policy")])
def test_a_silent_service_gets_a_reason_of_ours(status: str, reason: str) -> None:
    """A certificate never has an empty reason."""
    assert decided(answer(decision={"status": status, "reason": ""})).reason == reason


def test_texts_are_cleaned_and_bounded() -> None:
    """A reason cannot break a log line, a header or a terminal."""
    verdict = decided(
        answer(
            decision={
                "status": "BLOCKED",
                "reason": "bad\r\nX-Evil: 1\x1b[31m" + "x" * 500,
                "matched_pillar": "p" * 99,
                "matched_vector": "\ud800\n",
            },
            audit={"audit_id": "a\n" * 200},
        )
    )
    texts = (verdict.reason, verdict.pillar or "", verdict.vector or "", verdict.decision_ref or "")
    assert all(text.isprintable() and "\n" not in text for text in texts)
    assert [len(text) <= bound for text, bound in zip(texts, (200, 32, 32, 128), strict=True)] == [True] * 4
    " ".join(texts).encode()


def test_modifications_are_obligations_only_when_they_are_switched_on() -> None:
    """Without EVE_PROXY_ALLOW_MODIFY a MODIFIED answer is a block; with it the changes are demanded."""
    body = answer(
        decision={"status": "MODIFIED", "reason": "masked"},
        modifications=[{"field": "body", "modified_value": "masked", "reason": "pii"}],
    )
    refused, allowed = decided(body), decided(body, allow_modify=True)
    assert (refused.outcome, refused.obligations) == (Outcome.BLOCK, ())
    assert (allowed.outcome, allowed.obligations) == (Outcome.ALLOW, (Modification(field="body", value="masked"),))


@pytest.mark.parametrize("modifications", [[], None, [{"field": "path", "modified_value": "/"}], [{"field": "body"}]])
def test_a_modification_that_is_not_ours_to_make_blocks(modifications: Any) -> None:
    """An allow that cannot be carried out as demanded does not leave unchanged."""
    body = answer(decision={"status": "MODIFIED"}, modifications=modifications)
    assert decided(body, allow_modify=True).outcome is Outcome.BLOCK


# Answers that are not.

DEEP = b'{"decision":{"status":"ALLOWED"},"x":' + b"[" * 40 + b"]" * 40 + b"}"
MISBEHAVED = {
    "empty": b"",
    "text": b"ALLOWED",
    "list": b"[]",
    "true": b"true",
    "null": b"null",
    "no decision": b"{}",
    "decision is text": answer(decision="ALLOWED"),
    "decision is a list": answer(decision=[{"status": "ALLOWED"}]),
    "decision is null": answer(decision=None),
    "no status": answer(decision={}),
    "lower case": answer(decision={"status": "allowed"}),
    "padded": answer(decision={"status": "ALLOWED "}),
    "unknown": answer(decision={"status": "MAYBE"}),
    "status true": answer(decision={"status": True}),
    "status list": answer(decision={"status": ["ALLOWED"]}),
    "status object": answer(decision={"status": {"ALLOWED": 1}}),
    "top-level status": b'{"status":"ALLOWED"}',
    "another request": answer(request_id="cert_ffffffffffffffff"),
    "request id null": answer(request_id=None),
    "request id list": answer(request_id=[ID]),
    "reason is a number": answer(decision={"status": "ALLOWED", "reason": 1}),
    "pillar is a number": answer(decision={"status": "ALLOWED", "matched_pillar": 128}),
    "vector is a list": answer(decision={"status": "ALLOWED", "matched_vector": []}),
    "violations is an object": answer(policy_violations={}),
    "violation is text": answer(policy_violations=["P128"]),
    "policy id is a number": answer(policy_violations=[{"policy_id": 128}]),
    "description is a number": answer(policy_violations=[{"description": 1}]),
    "audit is text": answer(audit="aud_1"),
    "audit id is a number": answer(audit={"audit_id": 1}),
    "allow with modifications": answer(modifications=[{"field": "body", "modified_value": ""}]),
    "modifications is text": answer(modifications="body"),
    "modified value is a number": answer(
        decision={"status": "MODIFIED"}, modifications=[{"field": "body", "modified_value": 1}]
    ),
    "duplicate status": b'{"decision":{"status":"BLOCKED","status":"ALLOWED"}}',
    "duplicate decision": b'{"decision":{"status":"BLOCKED"},"decision":{"status":"ALLOWED"}}',
    "duplicate spelled with an escape": b'{"decision":{"status":"BLOCKED","st\\u0061tus":"ALLOWED"}}',
    "duplicate far away": b'{"decision":{"status":"ALLOWED"},"x":[{"y":{"a":1,"a":1}}]}',
    "NaN": b'{"decision":{"status":"ALLOWED"},"x":NaN}',
    "Infinity": b'{"decision":{"status":"ALLOWED"},"x":-Infinity}',
    "byte order mark": b"\xef\xbb\xbf" + answer(),
    "UTF-16": answer().decode().encode("utf-16"),
    "latin-1": b'{"decision":{"status":"ALLOWED","reason":"\xe9"}}',
    "two values": answer() + answer(),
    "trailing bytes": answer() + b"x",
    "trailing comma": b'{"decision":{"status":"ALLOWED"},}',
    "single quotes": b"{'decision':{'status':'ALLOWED'}}",
    "raw newline in text": b'{"decision":{"status":"ALLOWED","reason":"a\nb"}}',
    "cut off": answer()[:-1],
    "too deep": DEEP,
    "absurdly deep": b"[" * 500_000,
    "deep objects": b'{"a":' * 200_000,
    "too large": answer(padding="x" * MAX_ANSWER),
    "huge number": b'{"decision":{"status":"ALLOWED"},"x":' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", MISBEHAVED.values(), ids=MISBEHAVED)
def test_everything_else_fails_closed(body: bytes) -> None:
    """An answer that a lenient reader might take for an allow does not let the request out."""
    with pytest.raises(GovernorMisbehaved):
        decided(body, allow_modify=True)


def test_an_answer_of_exactly_the_bound_is_read() -> None:
    """The size bound is where the contract says."""
    bare = answer(padding="")
    body = answer(padding="x" * (MAX_ANSWER - len(bare)))
    assert len(body) == MAX_ANSWER
    assert decided(body).outcome is Outcome.ALLOW


def test_shallow_answers_with_many_members_are_read() -> None:
    """The depth bound counts depth, not brackets."""
    assert decided(answer(extra=[{"a": []}] * 100)).outcome is Outcome.ALLOW


@pytest.mark.parametrize("status", [100, 199, 201, 202, 204, 206, 301, 304, 400, 404, 500, 503, 0, 2000])
def test_only_200_can_permit(status: int) -> None:
    """An allow under any other status is an error page, not a verdict."""
    with pytest.raises(GovernorMisbehaved, match=f"HTTP status {status}"):
        decided(answer(), status=status)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_credential_is_named(status: int) -> None:
    """The operator reads that the token is the problem."""
    with pytest.raises(CredentialRefused, match="governance credential refused"):
        decided(answer(), status=status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7.0),
        (b" 7 ", 7.0),
        (b"0", 0.0),
        (b"999999999", 86_400.0),
        (b"9999999999", None),
        (b"-1", None),
        (b"1.5", None),
        (b"\xb2", None),
        (b"", None),
        (b"Wed, 21 Oct 2026 07:28:00 GMT", None),
        (None, None),
    ],
)
def test_a_rate_limit_is_named_and_keeps_its_delay(value: bytes | None, seconds: float | None) -> None:
    """Readiness can say for how long the service asks for patience."""
    headers = Headers() if value is None else Headers.of([(b"Retry-After", value)])
    with pytest.raises(RateLimited, match="governance rate limited") as caught:
        decided(answer(), status=429, headers=headers)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "body",
    [
        SECRET_TEXT.encode(),
        answer(decision={"status": SECRET_TEXT}),
        answer(decision={"status": "ALLOWED", SECRET_TEXT: 1}, request_id=SECRET_TEXT),
        b'{"' + SECRET_TEXT.encode() + b'":1,"' + SECRET_TEXT.encode() + b'":2}',
    ],
)
def test_a_malformed_answer_is_not_repeated(body: bytes) -> None:
    """What a broken service says does not travel on to the client or into a traceback."""
    with pytest.raises(GovernorMisbehaved) as caught:
        decided(body)
    assert SECRET_TEXT not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["ALLOWED", "BLOCKED", ID]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["request_id", "decision", "status", "reason", "modifications", "audit", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_only_a_well_formed_allow_permits(said: Any) -> None:
    """Of all JSON, only an object with decision.status ALLOWED and no foreign request id permits."""
    try:
        verdict = decided(orjson.dumps(said, option=orjson.OPT_PASSTHROUGH_SUBCLASS))
    except (GovernorMisbehaved, TypeError):
        return
    assert isinstance(said, dict)
    assert verdict.outcome is {"ALLOWED": Outcome.ALLOW}.get(said["decision"]["status"], Outcome.BLOCK)
    assert said.get("request_id", ID) == ID
    assert verdict.obligations == ()


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_it_raise_anything_else(body: bytes) -> None:
    """Garbage is a misbehaving service, never a crash."""
    with pytest.raises(GovernorMisbehaved):
        decided(body)


@given(st.data())
def test_any_repeated_name_is_refused(data: st.DataObject) -> None:
    """A name that occurs twice in any object, at any depth and in any spelling, is no verdict."""
    depth = data.draw(st.integers(0, 6))
    first = data.draw(st.text(st.characters(codec="utf-8"), max_size=4))
    spelled = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in first)
    twice = "{" + json.dumps(first) + ':1,"' + spelled + '":2}'
    body = '{"decision":{"status":"ALLOWED"},"x":' + '{"a":[' * depth + twice + "]}" * depth + "}"
    with pytest.raises(GovernorMisbehaved, match="not strict JSON"):
        decided(body.encode())


@given(JSON)
def test_spaces_make_no_difference(said: Any) -> None:
    """Two services that say the same are understood alike, whichever way they write JSON."""

    def understood(body: bytes) -> Any:
        try:
            return decided(body)
        except GovernorMisbehaved as error:
            return str(error)

    terse = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    assert understood(terse) == understood(json.dumps(said, indent=1).encode())


def test_a_repeated_name_is_refused_in_the_tersest_spelling() -> None:
    """Two decisions in one answer are none, without a single space to give them away."""
    one, two = b'{"status":"BLOCKED"}', b'{"status":"ALLOWED"}'
    for body in (
        b'{"decision":%b,"decision":%b}' % (one, two),
        b'{"decision":{"status":"BLOCKED","status":"ALLOWED"}}',
    ):
        with pytest.raises(GovernorMisbehaved, match="strict JSON"):
            decided(body)


def test_the_witness_is_taken_with_the_status_it_was_given_for() -> None:
    """What the answer says under ``witness`` and what it decided go together; a refusal of it is a refusal."""
    seen: list[tuple[object, str]] = []
    signed = Witness(seq=1, prev="sha256-ab", key_id="k", signature="s")

    def take(said: object, status: str) -> Witness:
        seen.append((said, status))
        return signed

    body = answer(decision={"status": "BLOCKED"}, witness={"key_id": "k"})
    verdict = decode(200, Headers(), body, request_id=ID, name="gov", policy_set="p", witness=take)
    assert (verdict.outcome, verdict.witness, seen) == (Outcome.BLOCK, signed, [({"key_id": "k"}, "BLOCKED")])
    assert decided(body).witness is None
