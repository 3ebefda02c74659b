"""What a certificate says of an exchange: fields, lengths, nulls and digests (evidence.md, "The certificate")."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.decision.drafting import draft_of, request_digest
from eve_proxy.model.certificate import Draft
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.verdict import Outcome, PolicyRef, Verdict, Witness
from tests.fakes.ports import body_of, exchange_of, request_of

NOW = "2026-04-16T14:22:03.847Z"
EMPTY = hashlib.sha256(b"").hexdigest()


def draft(exchange: Exchange | None = None, *, latency: float = 0.001412, **changes: Any) -> Draft:
    values: dict[str, Any] = {"outcome": Outcome.BLOCK, "reason": "no", **changes}
    return draft_of(exchange or exchange_of(), Verdict(**values), latency=latency, timestamp=NOW)


def test_the_guides_fields() -> None:
    """Verdict, reason, pillar, vector, caller, tenant, latency and time are where the guide has them."""
    made = draft(reason="Pillar 128 Violation", pillar="128", vector="706", governor="gov.example")
    assert (made.certificate_id, made.verdict, made.reason) == (exchange_of().id, "block", "Pillar 128 Violation")
    assert (made.matched_pillar, made.matched_vector) == ("128", "706")
    assert (made.caller, made.org_id) == ("sidecar.forward_proxy.egress", "bank_tier1_a")
    assert (made.latency_ms, made.timestamp) == (1.412, NOW)
    assert (made.kind, made.coverage, made.governor, made.parent, made.record) == (
        "decision", "full", "gov.example", None, None,
    )  # fmt: skip


def test_policy_and_reference_are_passed_on() -> None:
    """An auditor finds which policy decided, and the decision service's own record."""
    policy = PolicyRef(set="egress_v1", sha256="ab" * 32)
    made = draft(policy=policy, decision_ref="aud_1")
    assert (made.policy, made.decision_ref) == (policy, "aud_1")
    assert (draft().policy, draft().decision_ref) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, 0), (0.001, 1), (0.0014121, 1.412), (2.0, 2000), (0.00000049, 0), (1.0005, 1000.5)]
)
def test_latency_is_milliseconds_with_three_decimals(seconds: float, expected: float) -> None:
    """Integral values are integers, so that every serializer writes the number in the same way (RFC 8785)."""
    made = draft(latency=seconds).latency_ms
    assert made == expected
    assert isinstance(made, int) == float(expected).is_integer()


def test_a_second_certificate_of_one_exchange() -> None:
    """It has its own id and names the first; otherwise the exchange's own parent is kept."""
    verdict = Verdict(outcome=Outcome.BLOCK, reason="no")
    exchange = exchange_of(parent="cert_00000000000000cc")
    second = draft_of(
        exchange, verdict, latency=0, timestamp=NOW, certificate_id="cert_00000000000000bb", parent=exchange.id
    )
    assert (second.certificate_id, second.parent) == ("cert_00000000000000bb", exchange.id)
    assert draft(exchange).parent == "cert_00000000000000cc"


def test_a_modification_is_recorded() -> None:
    """What the pipeline says of a change stands in ``record``."""
    verdict, record = Verdict(outcome=Outcome.ALLOW, reason="ok"), {"modified": []}
    assert draft_of(exchange_of(), verdict, latency=0, timestamp=NOW, record=record).record is record


def test_digests_instead_of_content() -> None:
    """Path and body are there as digests, and nowhere else."""
    exchange = exchange_of(request_of(target=b"/v1?token=s3cret"), body=body_of(b"s3cret body"))
    said = request_digest(exchange).to_dict()
    assert said == {
        "method": "POST",
        "scheme": "http",
        "host": "api.example.com",
        "port": 80,
        "path_sha256": hashlib.sha256(b"/v1?token=s3cret").hexdigest(),
        "body_sha256": hashlib.sha256(b"s3cret body").hexdigest(),
        "body_bytes": 11,
        "request_id": None,
    }
    assert "s3cret" not in repr(draft(exchange))


def test_connect_has_no_path() -> None:
    """A tunnel's certificate does not pretend to know a path."""
    request = request_of("api.example.com:443", method="CONNECT", scheme="https", target=b"")
    made = draft(exchange_of(request, route=Route.CONNECT, coverage=Coverage.DESTINATION))
    assert made.request is not None
    assert (made.request.path_sha256, made.request.body_bytes, made.request.port) == (None, None, 443)
    assert made.coverage == "destination"


@given(st.text(max_size=400), st.text(max_size=80), st.text(max_size=400))
def test_hostile_text_stays_within_its_bounds(reason: str, short: str, governor: str) -> None:
    """Whatever a decision service says: lengths hold, no control character gets in, and it can be written as UTF-8."""
    made = draft(reason=reason, pillar=short, vector=short, decision_ref=reason, governor=governor)
    assert made.matched_pillar is not None
    assert made.matched_vector is not None
    assert made.decision_ref is not None
    bounds = [
        (made.reason, 200),
        (made.matched_pillar, 32),
        (made.matched_vector, 32),
        (made.decision_ref, 128),
        (made.governor, 253),
    ]
    for text, most in bounds:
        assert len(text) <= most
        assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in text)
        orjson.dumps(text)


def test_a_text_of_exactly_the_bound_is_kept_and_one_more_is_cut() -> None:
    """The table's lengths are met to the character."""
    kept = draft(reason="r" * 200, pillar="p" * 32, vector="v" * 32, decision_ref="d" * 128)
    assert (kept.reason, kept.matched_pillar, kept.matched_vector, kept.decision_ref) == (
        "r" * 200, "p" * 32, "v" * 32, "d" * 128,
    )  # fmt: skip
    cut = draft(reason="r" * 201, pillar="p" * 33, vector="v" * 33, decision_ref="d" * 129)
    assert (cut.reason, cut.matched_pillar, cut.matched_vector, cut.decision_ref) == (
        "r" * 199 + "…", "p" * 31 + "…", "v" * 31 + "…", "d" * 127 + "…",
    )  # fmt: skip


def test_the_witnesss_signature_is_kept() -> None:
    """What the service signed reaches the certificate, and a local refusal has none."""
    signed = Witness(seq=41, prev="sha256-ab", key_id="k", signature="ed25519-00")
    assert draft(witness=signed).witness is signed
    assert draft().witness is None
