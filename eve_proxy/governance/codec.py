"""The one contract with the decision service: an Exchange to a question, an answer to a Verdict (governance-api.md).

Another contract is another codec. Reading is strict: only a well-formed answer to this very question permits. What a
client may learn of an answer that is not is a short text of ours, never the answer's.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import orjson

from eve_proxy.governance.errors import CredentialRefused, RateLimited
from eve_proxy.governance.modifications import obligations
from eve_proxy.governance.redaction import Redactor
from eve_proxy.governance.schema import NotTheContract, objects, pillar_and_vector, text
from eve_proxy.model.certificate import LogLink, RequestDigest
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.text import clean, readable
from eve_proxy.model.verdict import Modification, Outcome, PolicyRef, Verdict, Witness

EVALUATE: Final = "/v1/decisions/evaluate"
MAX_ANSWER: Final = 1024 * 1024
# An honest answer nests four levels.
_DEEPEST: Final = 32
# A day: a longer Retry-After is no information for whoever reads the readiness warning.
_LONGEST_RETRY: Final = 86_400.0


def encode(
    exchange: Exchange,
    *,
    digest: RequestDigest,
    timestamp: str,
    policy_set: str,
    redactor: Redactor,
    log: LogLink | None,
) -> bytes:
    """The question, as JSON.

    ``body`` is what is judged, decoded (``Body.content``). ``body_bytes`` and ``body_sha256`` describe the bytes as
    received, before decoding: they equal the certificate's, so that a service can witness the same request. The path of
    a CONNECT, and all four body members when no body was read, are null: unknown is never the digest of nothing.

    :param digest: the certificate's ``request``: what a service that witnesses signs.
    :param timestamp: UTC, milliseconds, ``Z``.
    :param log: the head of our chain, or None while there is no journal.
    """
    request = exchange.request
    authority = request.authority
    body = exchange.body
    said = encoding = size = sha256 = None
    if body is not None:
        size, sha256 = body.size, body.sha256
        try:
            said, encoding = body.content.decode(), "utf-8"
        except UnicodeDecodeError:
            said, encoding = b64encode(body.content).decode("ascii"), "base64"
    return orjson.dumps(
        {
            "request_id": exchange.id,
            "timestamp": timestamp,
            "tenant_id": exchange.org_id,
            "policy_set": policy_set,
            "user": {"id": exchange.caller, "role": "egress_proxy"},
            "proposed_action": {
                "type": "network.egress",
                "route": exchange.route._value_,
                "method": request.method,
                "scheme": request.scheme,
                "host": authority.host,
                "port": authority.port,
                "path": None if request.is_connect else readable(redactor.target(request.target)),
                "headers": redactor.fields(request.headers),
                "body": said,
                "body_encoding": encoding,
                "body_bytes": size,
                "body_sha256": sha256,
            },
            "context": {
                "coverage": exchange.coverage._value_,
                "request": digest.to_dict(),
                "log": None if log is None else log.to_dict(),
            },
        }
    )


def decode(
    status: int,
    headers: Headers,
    body: bytes,
    *,
    request_id: str,
    name: str,
    policy_set: str,
    allow_modify: bool = False,
    witness: Callable[[object, str], Witness | None] = lambda _said, _status: None,
) -> Verdict:
    """The verdict in an answer.

    :param request_id: the question's; an answer that names another is refused, one that names none is accepted.
    :param name: the certificate's ``governor``.
    :param allow_modify: EVE_PROXY_ALLOW_MODIFY; without it ``MODIFIED`` is a block.
    :param witness: takes the answer's ``witness`` and ``decision.status``: what becomes the certificate's.
    :raises NotWitnessed: it demands a signature and there is no good one.
    :raises CredentialRefused: 401, 402 or 403.
    :raises RateLimited: 429.
    :raises GovernorMisbehaved: anything else that is not a well-formed answer to this question.
    """
    if status != 200:
        raise _refusal(status, headers)
    answer = _strict_json(body)
    try:
        if not isinstance(answer, dict):
            raise NotTheContract
        if "request_id" in answer and answer["request_id"] != request_id:
            raise GovernorMisbehaved("governance answered another request")
        verdict = _verdict(answer, name, policy_set, allow_modify)
        signed = witness(answer.get("witness"), answer["decision"]["status"])
        return verdict if signed is None else replace(verdict, witness=signed)
    except NotTheContract:
        pass
    # Raised out here, so that no traceback carries the answer's content along.
    raise GovernorMisbehaved("governance answer not understood")


def _verdict(answer: dict[str, Any], name: str, policy_set: str, allow_modify: bool) -> Verdict:
    decision = answer.get("decision")
    if not isinstance(decision, dict):
        raise NotTheContract
    status = decision.get("status")
    violations = objects(answer, "policy_violations")
    modifications = objects(answer, "modifications")
    pillar, vector = pillar_and_vector(decision, violations)
    reason = text(decision, "reason")
    if not reason and violations:
        reason = next((said for violation in violations if (said := text(violation, "description"))), None)
    audit = answer.get("audit")
    if audit is not None and not isinstance(audit, dict):
        raise NotTheContract
    reference = None if audit is None else text(audit, "audit_id")
    required: tuple[Modification, ...] = ()
    if status == "ALLOWED":
        # An allow with strings attached is two answers in one.
        if modifications:
            raise NotTheContract
        outcome, default = Outcome.ALLOW, "allowed by policy"
    elif status == "BLOCKED":
        outcome, default = Outcome.BLOCK, "blocked by policy"
    elif status == "MODIFIED":
        required = obligations(modifications) if allow_modify else ()
        if required:
            outcome, default = Outcome.ALLOW, "allowed with modifications"
        else:
            outcome, default = Outcome.BLOCK, "the policy asks for modifications that are not allowed here"
    else:
        raise NotTheContract
    return Verdict(
        outcome=outcome,
        reason=clean(reason or default, 200),
        pillar=pillar,
        vector=vector,
        governor=name,
        policy=_policy(policy_set),
        decision_ref=clean(reference, 128) if reference else None,
        obligations=required,
    )


@lru_cache(maxsize=8)
def _policy(policy_set: str) -> PolicyRef:
    return PolicyRef(set=policy_set)  # the service's text is not ours to digest


def _refusal(status: int, headers: Headers) -> GovernorMisbehaved:
    if status in (401, 402, 403):
        return CredentialRefused("governance credential refused")
    if status == 429:
        # The HTTP-date form is left out: it needs the service's idea of the time.
        seconds = (headers.get(b"retry-after") or b"").strip()
        known = len(seconds) <= 9 and seconds.isdigit()
        return RateLimited(
            "governance rate limited", retry_after=min(float(seconds), _LONGEST_RETRY) if known else None
        )
    return GovernorMisbehaved(f"governance answered with HTTP status {status:d}")


def _strict_json(body: bytes) -> Any:
    """RFC 8259 without its tolerances: UTF-8, no byte order mark, no NaN, no repeated name at any level."""
    if len(body) > MAX_ANSWER:
        raise GovernorMisbehaved("governance answer too large")
    try:
        answer = _as_we_spell_it(body) or _DECODER.decode(body.decode())
        nested = body.count(b"[") + body.count(b"{")
        if nested <= _DEEPEST or not _deeper_than(answer, _DEEPEST):
            return answer
    # RecursionError: the parser itself gave up on the nesting.
    except (ValueError, RecursionError):
        pass
    raise GovernorMisbehaved("governance answer is not strict JSON")


def _as_we_spell_it(body: bytes) -> Any:
    """The value, if ``body`` is exactly how orjson writes it, else None.

    orjson is fast but silently takes the last of two equal names; what it then writes is shorter than what it read.
    """
    try:
        answer = orjson.loads(body)
        return answer if orjson.dumps(answer) == body else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _no_constant(_name: str) -> None:
    raise ValueError


# One decoder for all answers (``json.loads`` builds a new one per call), for those with spaces or escapes of their own.
# Two readers of one answer must never see two decisions.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _deeper_than(value: Any, bound: int) -> bool:
    level = [value]
    for _ in range(bound):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return any(isinstance(item, dict | list) for item in level)
