"""Sealing: what a client gets in the header and an auditor in the journal."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.certificate import FIELDS, RequestDigest
from eve_proxy.model.errors import SigningFailed
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import PolicyRef
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import LARGEST, header_value, seal, timestamp
from eve_proxy.signing.verification import verify_certificate
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET

SIGNER = HmacSigner(SECRET)


def test_hash_and_signature_by_hand() -> None:
    """An auditor with nothing but a JSON library and HMAC comes to the same hash and signature."""
    certificate = seal(draft(), link(), SIGNER)
    fields = json.loads(certificate.line)
    covered = {key: value for key, value in fields.items() if key not in ("content_hash", "signature")}
    digest = "sha256-" + hashlib.sha256(rfc8785.dumps(covered)).hexdigest()
    assert fields["content_hash"] == digest == certificate.content_hash
    assert fields["signature"] == "hmac-" + hmac.new(SECRET, digest.encode(), "sha256").hexdigest()
    assert (fields["algorithm"], fields["schema"]) == ("HMAC-SHA256", "eve.decision/1")


def test_line_is_compact_and_in_table_order() -> None:
    """Every line of the journal shows the guide's fields first, in the guide's order, without a wasted byte."""
    certificate = seal(draft(reason="péril"), link(), SIGNER)
    fields = json.loads(certificate.line)
    assert tuple(fields) == FIELDS
    assert certificate.line == json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    assert fields == certificate.to_dict()


def test_values_come_out_canonical() -> None:
    """A latency in whole milliseconds, and details in any order, still verify after a round trip through JSON."""
    certificate = seal(draft(latency_ms=2.0, verdict=None, kind="void", record={"b": 1, "a": 2.0}), None, SIGNER)
    assert b'"latency_ms":2,' in certificate.line
    assert b'"record":{"a":2,"b":1}' in certificate.line
    assert verify_certificate(certificate.to_dict(), SECRET)
    assert verify_certificate(certificate.line, SECRET)


class Broken:
    algorithm = "HMAC-SHA256"
    key_id = "0123456789abcdef"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def sign(self, content_hash: str) -> str:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", [ValueError("secret s3cret"), KeyError(), object()])
def test_whatever_a_signer_does_wrong_is_signing_failed(answer: object) -> None:
    """A broken key gives no certificate at all, and its error is not quoted."""
    with pytest.raises(SigningFailed) as caught:
        seal(draft(), link(), Broken(answer))  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "e\u0301"},
        {"reason": "\ud800"},
        {"reason": "\x7f"},
        {"reason": "x" * 4000},
        {"reason": "\u20ac" * 700},
        {"latency_ms": float("nan")},
        {"record": {"a": object()}},
        {"record": {"a": 1.23456}},
    ],
)
def test_seal_does_not_trust_its_draft(changes: dict[str, Any]) -> None:
    """A draft that breaks a rule gives no certificate rather than one that would not verify or not travel."""
    with pytest.raises(SigningFailed):
        seal(draft(**changes), link(), SIGNER)


# What a hostile client, upstream or decision service would like to see in the header.
HOSTILE = st.text(st.sampled_from('"\\\x00\n\x7fa\U0001f600é\u0301\u2028\ud800'), max_size=300) | st.text(max_size=300)


def cleaned(characters: int) -> st.SearchStrategy[str]:
    return (HOSTILE | st.sampled_from(["\U0001f600" * 300, '"' * 300, "\x00" * 300, "é" * 300])).map(
        lambda text: clean(text, characters)
    )


@given(st.data())
def test_header_is_one_ascii_line_of_at_most_4096_bytes(data: st.DataObject) -> None:
    """Whatever a client, an upstream or the decision service sends, ``json.loads`` reads the header and it verifies."""
    text = data.draw
    worst = draft(
        reason=text(cleaned(200)),
        matched_pillar=text(cleaned(32)),
        matched_vector=text(cleaned(32)),
        caller=text(cleaned(128)),
        org_id=text(cleaned(128)),
        latency_ms=123456789.123,
        parent="cert_" + "0" * 16,
        request=RequestDigest(
            method=text(cleaned(32)),
            scheme="https",
            host="x" * 253,
            port=65535,
            path_sha256="0" * 64,
            body_sha256="0" * 64,
            body_bytes=10**12,
            request_id=text(cleaned(128)),
        ),
        coverage="destination",
        governor="x" * 253,
        policy=PolicyRef(set=text(cleaned(128)), sha256="0" * 64),
        decision_ref=text(cleaned(128)),
    )
    certificate = seal(worst, link(10**15, "sha256-" + "f" * 64), SIGNER)
    value = header_value(certificate)
    assert len(value) <= LARGEST
    assert value.isascii()
    assert all(0x20 <= byte < 0x7F for byte in value)
    assert json.loads(value) == certificate.to_dict()
    assert verify_certificate(json.loads(value), SECRET)
    assert verify_certificate(value, SECRET)


def test_ascii_header_is_the_line_itself() -> None:
    """The usual header costs no copy."""
    certificate = seal(draft(), link(), SIGNER)
    assert header_value(certificate) is certificate.line


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (1776349323.847, "2026-04-16T14:22:03.847Z"),
        (1776349323.9999, "2026-04-16T14:22:03.999Z"),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1776349323, "2026-04-16T14:22:03.000Z"),
    ],
)
def test_timestamp(wall: float, text: str) -> None:
    """Times are UTC to the millisecond, and never ahead of the clock."""
    assert timestamp(wall) == text
