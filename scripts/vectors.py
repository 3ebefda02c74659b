"""What the test vectors are made of: fixed keys, a fixed clock, and the journals that nobody has touched yet."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from eve_proxy.interfaces import ISigner  # noqa: E402
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink, RequestDigest  # noqa: E402
from eve_proxy.model.verdict import PolicyRef, Witness  # noqa: E402
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer  # noqa: E402
from eve_proxy.signing.seal import seal, timestamp  # noqa: E402

LOG = "log_00112233445566aa"
BEGIN = 1776349323.847
POLICY = PolicyRef(set="egress_v1", sha256="9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab")
WITNESS = Witness(seq=12, prev="sha256-" + "7e" * 32, key_id="0123456789-_abcd", signature="ed25519-" + "8d" * 64)
TUNNEL = RequestDigest(method="CONNECT", scheme="https", host="api.example.com", port=443)


def _scalar(label: str) -> bytes:
    return hashlib.sha256(b"test vectors only: " + label.encode()).digest()


def ed25519_key(label: str) -> Ed25519PrivateKey:
    """The private key of that name, the same each time."""
    return Ed25519PrivateKey.from_private_bytes(_scalar(label))


def p256_key(label: str) -> ec.EllipticCurvePrivateKey:
    """The private key of that name, the same each time."""
    # 31 bytes: below the order of the curve, whatever the hash is.
    return ec.derive_private_key(int.from_bytes(_scalar(label)[:31], "big"), ec.SECP256R1())


def ed25519(label: str) -> ISigner:
    """A signer."""
    return Ed25519Signer(ed25519_key(label))


def p256(label: str) -> ISigner:
    """A signer; its nonces are deterministic (RFC 6979)."""
    return P256Signer(p256_key(label))


def draft(number: int, **changes: Any) -> Draft:
    """A record that is not a decision, ``number`` seconds after the beginning."""
    values: dict[str, Any] = {
        "certificate_id": f"cert_9a1b3c5d7e9f{number:04x}",
        "verdict": None,
        "reason": "the journal was opened",
        "matched_pillar": None,
        "matched_vector": None,
        "caller": "sidecar.forward_proxy.egress",
        "org_id": "bank_tier1_a",
        "latency_ms": 0,
        "timestamp": timestamp(BEGIN + number),
    }
    return Draft(**(values | changes))


def decision(number: int, **changes: Any) -> Draft:
    """An allow, unless ``changes`` say otherwise."""
    request = RequestDigest(
        method="POST",
        scheme="https",
        host="api.example.com",
        port=443,
        path_sha256="1fe6dffdcfc2c8ef3ba9ea75671e606e9ac0a8a9e8de5a2ba0ccf8d42f2e7fbc",
        body_sha256="ab9df2d72cc6b6d57eb63d4ef6d3a6b9df0b4a4c2b2d9a1e6f11a1a7a7a1c0de",
        body_bytes=2048,
        request_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    values: dict[str, Any] = {
        "verdict": "allow",
        "reason": "allowed",
        "latency_ms": 1.412,
        "request": request,
        "coverage": "full",
        "governor": "embedded",
        "policy": POLICY,
    }
    return draft(number, **(values | changes))


def opened(number: int, previous_key_id: str | None = None) -> Draft:
    """``session_open``."""
    record = {"version": "0.1.0", "pid": 4711, "sync": "batch", "previous_key_id": previous_key_id}
    return draft(number, kind="session_open", record=record)


def closed(number: int) -> Draft:
    """``session_close``."""
    return draft(number, kind="session_close", reason="the journal was closed", record={})


def one_session() -> list[Draft]:
    """Every verdict once, and a text beyond ASCII."""
    veto = {
        "verdict": "block",
        "reason": "Pillar 128 Violation: Symbolic Assembly Attack Detected",
        "matched_pillar": "128",
        "matched_vector": "706",
    }
    shut = {
        "verdict": "fail_closed",
        "reason": "the decision service did not answer within 2 s – «délai dépassé»",
        "matched_pillar": "114",
        "latency_ms": 2000,
        "governor": "governor.example",
        "policy": None,
    }
    return [
        opened(0),
        decision(1),
        decision(2, **veto),
        decision(3, **shut),
        decision(4, request=TUNNEL, coverage="destination", latency_ms=0.087),
        draft(
            5,
            kind="suppressed",
            reason="refusals that got no record of their own",
            record={"count": 3, "kinds": {"client": 3}, "peers": {"192.0.2.7": 3}},
        ),
        closed(6),
    ]


def several_sessions() -> list[Draft]:
    """Three sessions, of which the first was killed; records of many kinds, one of them of no kind known today."""
    refused = {"verdict": "block", "reason": "the host is on the blocklist", "matched_pillar": "local"}
    landed = {"content_hash": "sha256-" + "5a" * 32}
    torn = {"bytes": 311, "sha256": "c3" * 32, "cause": "the last line was incomplete", "refused": 0}
    odd = {"10": [1, 0.5, None], "9": {"b": 1, "a": -2}}
    # An outcome's keys are sorted where it is made.
    usage = {
        "address": "192.0.2.80",
        "ended": "complete",
        "ended_by": "upstream",
        "seconds": 0.841,
        "status": 200,
        "to_downstream": 48211,
        "to_upstream": 2310,
    }
    return [
        opened(0),
        decision(1),
        decision(2, **refused, matched_vector="blocklist"),
        draft(3, kind="void", reason="the line landed late", parent="cert_9a1b3c5d7e9f0001", record=landed),
        decision(4, verdict="fail_open", reason="judging failed and EVE_PROXY_FAIL_CLOSED is 0", matched_pillar="114"),
        opened(5),
        draft(6, kind="recovered", reason="an incomplete last line was cut off", record=torn),
        draft(66, kind="heartbeat", reason="nothing else happened", record={"uptime_s": 61}),
        decision(67, request=TUNNEL, coverage="destination"),
        draft(68, kind="outcome", reason="the tunnel was closed", parent="cert_9a1b3c5d7e9f0043", record=usage),
        draft(69, kind="of a later version", reason="naïve – 😀", record=odd),
        closed(70),
        opened(71),
        decision(72, governor="governor.example", policy=None, decision_ref="aud_01", witness=WITNESS),
        closed(73),
    ]


def sealed(
    drafts: Sequence[Draft], signer: ISigner | Sequence[ISigner], log_id: str | list[str] = LOG
) -> list[DecisionCertificate]:
    """A journal of these drafts; with several signers or ids, each draft's own."""
    signers = signer if isinstance(signer, Sequence) else [signer] * len(drafts)
    ids = log_id if isinstance(log_id, list) else [log_id] * len(drafts)
    prev = GENESIS
    certificates: list[DecisionCertificate] = []
    for number, (each, by, of) in enumerate(zip(drafts, signers, ids, strict=True)):
        certificates.append(seal(each, LogLink(id=of, seq=number, prev=prev), by))
        prev = certificates[-1].content_hash
    return certificates


def lines(certificates: Sequence[DecisionCertificate]) -> list[bytes]:
    """Their lines, with newlines."""
    return [certificate.line + b"\n" for certificate in certificates]


def rotations(keys: Sequence[ISigner]) -> tuple[list[Draft], list[ISigner]]:
    """A journal that changes its key twice while it runs and once between two sessions, and who signs each record."""
    first, second, third = keys

    def rotation(number: int, old: ISigner, new: ISigner) -> Draft:
        details = {"key_id": new.key_id, "algorithm": new.algorithm, "jwk": new.jwk(), "previous_key_id": old.key_id}
        reason = "another key signs from the next record on"
        return draft(number, kind="key_rotation", reason=reason, record=details)

    drafts = [
        opened(0),
        decision(1),
        rotation(2, first, second),
        decision(3),
        rotation(4, second, third),
        decision(5),
        closed(6),
        opened(7, previous_key_id=third.key_id),
        decision(8),
        closed(9),
    ]
    return drafts, [first] * 3 + [second] * 2 + [third] * 2 + [first] * 3
