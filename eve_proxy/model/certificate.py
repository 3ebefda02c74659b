"""The signed record of one decision (evidence.md, "The certificate")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eve_proxy.model.lean import lean
from eve_proxy.model.verdict import PolicyRef, Witness

SCHEMA: Final = "eve.decision/1"
DECISION: Final = "decision"
OUTCOME: Final = "outcome"
GENESIS: Final = "sha256-" + "0" * 64

# The one spelling of a line: these keys, in this order.
FIELDS: Final = (
    "certificate_id", "verdict", "reason", "matched_pillar", "matched_vector", "caller", "org_id", "latency_ms",
    "timestamp", "content_hash", "signature", "algorithm", "schema", "kind", "key_id", "parent", "request",
    "coverage", "governor", "policy", "decision_ref", "witness", "record", "log",
)  # fmt: skip


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDigest:
    """What was decided: digests, never content. None where unknown."""

    method: str
    scheme: str
    host: str
    port: int
    path_sha256: str | None = None
    body_sha256: str | None = None
    body_bytes: int | None = None
    request_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, keys in table order."""
        return {
            "method": self.method,
            "scheme": self.scheme,
            "host": self.host,
            "port": self.port,
            "path_sha256": self.path_sha256,
            "body_sha256": self.body_sha256,
            "body_bytes": self.body_bytes,
            "request_id": self.request_id,
        }


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class LogLink:
    """A record's place in its journal: the journal's id, number from 0, hash of the record before."""

    id: str
    seq: int
    prev: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return {"id": self.id, "seq": self.seq, "prev": self.prev}


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A certificate before it has a place in the journal and a signature.

    :ivar verdict: an ``Outcome`` value, or None on records that are not decisions.
    :ivar latency_ms: the enforcement clock, at most three decimals; integral values as int (RFC 8785 numbers).
    :ivar timestamp: UTC with milliseconds and ``Z``.
    :ivar coverage: a ``Coverage`` value.
    :ivar record: JSON-ready details of a record that is not a decision, or of a modification; else None.
    """

    certificate_id: str
    verdict: str | None
    reason: str
    matched_pillar: str | None
    matched_vector: str | None
    caller: str
    org_id: str
    latency_ms: float
    timestamp: str
    kind: str = DECISION
    parent: str | None = None
    request: RequestDigest | None = None
    coverage: str = "none"
    governor: str = "local"
    policy: PolicyRef | None = None
    decision_ref: str | None = None
    witness: Witness | None = None
    record: dict[str, Any] | None = None


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCertificate:
    """A sealed draft.

    :ivar content_hash: ``sha256-`` + hex over the canonical bytes of every other field except ``signature``.
    :ivar line: the journal's spelling, compact UTF-8 JSON without newline.
    """

    draft: Draft
    algorithm: str
    key_id: str
    log: LogLink | None
    content_hash: str
    signature: str
    line: bytes = field(repr=False)

    @property
    def certificate_id(self) -> str:
        """``cert_`` + 16 hex."""
        return self.draft.certificate_id

    def to_dict(self) -> dict[str, Any]:
        """The whole certificate, keys in table order (the guide's ``e.certificate.to_dict()``)."""
        fields = unsigned_fields(self.draft, self.algorithm, self.key_id, self.log)
        fields["content_hash"] = self.content_hash
        fields["signature"] = self.signature
        return fields


def unsigned_fields(draft: Draft, algorithm: str, key_id: str, log: LogLink | None) -> dict[str, Any]:
    """Every key in table order; ``content_hash`` and ``signature`` are empty text until they are known."""
    policy = draft.policy
    return {
        "certificate_id": draft.certificate_id,
        "verdict": draft.verdict,
        "reason": draft.reason,
        "matched_pillar": draft.matched_pillar,
        "matched_vector": draft.matched_vector,
        "caller": draft.caller,
        "org_id": draft.org_id,
        "latency_ms": draft.latency_ms,
        "timestamp": draft.timestamp,
        "content_hash": "",
        "signature": "",
        "algorithm": algorithm,
        "schema": SCHEMA,
        "kind": draft.kind,
        "key_id": key_id,
        "parent": draft.parent,
        "request": None if draft.request is None else draft.request.to_dict(),
        "coverage": draft.coverage,
        "governor": draft.governor,
        "policy": None if policy is None else {"set": policy.set, "sha256": policy.sha256},
        "decision_ref": draft.decision_ref,
        "witness": None if draft.witness is None else draft.witness.to_dict(),
        "record": draft.record,
        "log": None if log is None else log.to_dict(),
    }
