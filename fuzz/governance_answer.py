"""Any bytes as the governor's answer: a verdict or one of the named errors, and an allow only where it says so.

Whether it says so is read by other code (``strict_json``). A verdict can always be certified: no answer may cost the
exchange its certificate.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

from eve_proxy.decision.drafting import draft_of
from eve_proxy.governance.codec import MAX_ANSWER, decode
from eve_proxy.governance.errors import CredentialRefused, RateLimited
from eve_proxy.model.authority import Authority
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import header_value, seal
from eve_proxy.signing.verification import verify_certificate
from fuzz import strict_json
from fuzz.corpora import TESTS

LONGEST: Final = 2048
DICTIONARY: Final = (
    *(b'{"decision":{"status":"ALLOWED"}}', b'"status":"BLOCKED"', b'"status":"MODIFIED"', b'"ALLOWED"'),
    *(b"\\u0041LLOWED", b'"request_id":"cert_0000000000000001"', b'"request_id":null', b'"modifications":['),
    *(b'"policy_violations":[', b"NaN", b'{"field":"body","modified_value":"x"}'),
    *(b'{"field":"headers.x-a","modified_value":"1"}', b'"audit":{"audit_id":"'),
    *(b'{"policy_id":"P128:706","description":"', b'"reason":"', b'"matched_pillar":"', b'"matched_vector":"'),
    *(b"\\ud800", b"\xef\xbb\xbf", b"[[[[[[[[[[[[[[[[", b"]]]]]]]]]]]]]]]]", b"e\\u0301", b"\\u202e", b"1e999", b"-0"),
    b"\xed\xa0\x80",
)

_ASKED: Final = "cert_0000000000000001"
_SECRET: Final = b"fuzz targets only: never sign with this"
_NO_FIELDS: Final = Headers()
_REQUEST: Final = Request(
    method="POST", scheme="https", authority=Authority(host="example.com", port=443), target=b"/", headers=_NO_FIELDS
)
_EXCHANGE: Final = Exchange(
    id=_ASKED,
    route=Route.FORWARD,
    request=_REQUEST,
    peer="127.0.0.1",
    peer_port=1,
    org_id="default",
    caller="sidecar.forward_proxy.egress",
    received_at=0.0,
    coverage=Coverage.FULL,
)
_DEEPEST: Final = 32
# Of what must not reach a terminal: C0, DEL, C1, what turns or breaks lines, half characters.
_UNPRINTABLE: Final = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2067, 0xD800, 0xDFFF)))


def seeds() -> Iterator[bytes]:
    """The answers of the contract's suite."""
    known = json.loads((TESTS / "contract" / "answers.json").read_text("utf-8"))
    for answer in (*known["accepted"], *known["refused"]):
        if "answer" in answer:
            yield json.dumps(answer["answer"]).encode()
            yield json.dumps(answer["answer"], separators=(",", ":")).encode()
        elif "text" in answer:
            yield answer["text"].encode()
        else:
            yield b64decode(answer["base64"])


def examine(data: bytes) -> None:
    """Decode as a 200, with and without permission to modify, and as everything that is not a 200."""
    try:
        said = strict_json.read(data)
    except strict_json.Doubtful:
        said = None
    for allow_modify in (False, True):
        verdict = _decode(200, data, allow_modify)
        if verdict is None:
            assert not _well_formed(said) or len(data) > MAX_ANSWER, "a well-formed answer is refused"
            continue
        _check(verdict, said, allow_modify)
    for status in (100, 201, 204, 301, 401, 403, 404, 429, 500, 503):
        assert _decode(status, data, False) is None, "a verdict without a 200"


def _decode(status: int, data: bytes, allow_modify: bool) -> Verdict | None:
    try:
        return decode(
            status,
            Headers.of([(b"Retry-After", data[:20])]),
            data,
            request_id=_ASKED,
            name="governor.example",
            policy_set="egress_v1",
            allow_modify=allow_modify,
        )
    except GovernorMisbehaved as error:
        refusal = error
    named = {401: CredentialRefused, 402: CredentialRefused, 403: CredentialRefused, 429: RateLimited}
    assert type(refusal) is named.get(status, GovernorMisbehaved)
    if isinstance(refusal, RateLimited):
        assert refusal.retry_after is None or 0 <= refusal.retry_after <= 86_400
    # Nothing of the answer may travel with it, not even in a traceback.
    assert refusal.__context__ is None
    return None


def _check(verdict: Verdict, said: Any, allow_modify: bool) -> None:
    assert said is not None, "a verdict from what two readers could read in two ways"
    assert isinstance(said, dict)
    assert said.get("request_id", _ASKED) == _ASKED, "the answer to another question"
    assert strict_json.depth(said) <= _DEEPEST
    status = said["decision"]["status"]
    wanted = said.get("modifications") or []
    if status == "ALLOWED":
        assert verdict.outcome is Outcome.ALLOW
        assert not wanted
        assert not verdict.obligations
    elif status == "BLOCKED":
        assert verdict.outcome is Outcome.BLOCK, "a block is not one"
        assert not verdict.obligations
    else:
        assert status == "MODIFIED"
        if verdict.outcome is Outcome.ALLOW:
            assert allow_modify, "modified without permission"
            made = {obligation.field: obligation.value for obligation in verdict.obligations}
            assert len(made) == len(wanted) > 0, "not all of the modifications, or one twice"
            for each in wanted:
                field = each["field"]
                assert made[field if field == "body" else field.lower()] == each["modified_value"]
        else:
            assert verdict.outcome is Outcome.BLOCK
            assert not verdict.obligations
    # These reach logs and the client's answer too.
    bounds = ((verdict.reason, 200), (verdict.pillar, 32), (verdict.vector, 32), (verdict.decision_ref, 128))
    assert all(text is None or (len(text) <= most and _UNPRINTABLE.isdisjoint(text)) for text, most in bounds)
    _certify(verdict)


def _certify(verdict: Verdict) -> None:
    draft = draft_of(_EXCHANGE, verdict, latency=0.001, timestamp="2026-04-16T14:22:03.847Z")
    certificate = seal(draft, LogLink(id="log_a", seq=1, prev=GENESIS), HmacSigner(_SECRET))
    header = header_value(certificate)
    assert len(header) <= 4096
    assert verify_certificate(header, _SECRET)
    assert verify_certificate(certificate.line, _SECRET)


def _well_formed(said: Any) -> bool:
    """Every member that the contract names has its type (governance-api.md, "Answer")."""
    if not isinstance(said, dict) or said.get("request_id", _ASKED) != _ASKED or strict_json.depth(said) > _DEEPEST:
        return False
    decision, audit = said.get("decision"), said.get("audit")
    violations, modifications = said.get("policy_violations"), said.get("modifications")
    if not isinstance(decision, dict) or not isinstance(audit, dict | None):
        return False
    for several in (violations, modifications):
        if several is not None and not (isinstance(several, list) and all(isinstance(each, dict) for each in several)):
            return False
    texts = [decision.get(name) for name in ("reason", "matched_pillar", "matched_vector")]
    texts += [each.get(name) for each in violations or () for name in ("policy_id", "description")]
    texts += [each.get(name) for each in modifications or () for name in ("field", "modified_value", "reason")]
    texts.append((audit or {}).get("audit_id"))
    if not all(isinstance(text, str | None) for text in texts):
        return False
    status = decision.get("status")
    return status in ("BLOCKED", "MODIFIED") or (status == "ALLOWED" and not modifications)
