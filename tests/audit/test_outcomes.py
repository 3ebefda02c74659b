"""Outcomes are sealed from templates: nobody can tell from any other record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.audit.outcomes import Outcomes
from eve_proxy.audit.records import Records
from eve_proxy.interfaces import ISigner
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import SigningFailed
from eve_proxy.model.text import clean
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer
from eve_proxy.signing.seal import seal
from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.verification import verify_certificate
from tests.fakes.journal import FakeEntropy, JournalClock
from tests.fakes.keys import ed25519
from tests.fakes.ports import SECRET

KEYS: tuple[ISigner, ...] = (HmacSigner(SECRET), Ed25519Signer(ed25519()))
PREV = "sha256-" + "1f" * 32
# What an operator may have called the organisation; "%s" and "\0" are what a template is made with.
NAMES = st.text(max_size=60).map(lambda text: clean(text, 60)) | st.sampled_from(
    ["%s", "100 %", "%%(x)d", r"\u0000", '"\\u0000"', "\\", 'a"b', "Zürich", "\U0001f512"]
)
DETAILS = st.fixed_dictionaries(
    {
        "address": st.none() | st.ip_addresses().map(str),
        "ended": st.sampled_from(["complete", "%s", "\0\1"]),
        "seconds": st.integers(0, 10**9) | st.integers(1, 10**9).map(lambda n: n + 0.125),
        "status": st.none() | st.integers(100, 599),
        "to_downstream": st.integers(0, 2**50),
    }
).map(lambda details: dict(sorted(details.items())))


def records(org_id: str = "acme", caller: str = "sidecar") -> Records:
    """Each has the same clock and random numbers as the other."""
    return Records(org_id=org_id, caller=caller, clock=JournalClock(), entropy=FakeEntropy())


def outcomes(org_id: str = "acme", caller: str = "sidecar") -> Outcomes:
    shape = records(org_id, caller).outcome("", {})
    return Outcomes(shape, "log_0123", clock=JournalClock(), entropy=FakeEntropy())


@given(
    org_id=NAMES,
    caller=NAMES,
    details=DETAILS,
    parent=st.from_regex(r"cert_[0-9a-f]{16}", fullmatch=True),
    seq=st.integers(0, 2**53 - 1),
    signer=st.sampled_from(KEYS),
)
def test_the_bytes_are_those_of_any_other_record(
    org_id: str, caller: str, details: dict[str, Any], parent: str, seq: int, signer: ISigner
) -> None:
    """An auditor's tools see one spelling, whoever wrote the line: whatever the names, the details and the key."""
    line, digest = outcomes(org_id, caller).seal(parent, details, seq, PREV, signer)
    link = LogLink(id="log_0123", seq=seq, prev=PREV)
    expected = seal(records(org_id, caller).outcome(parent, details), link, signer)
    assert line == expected.line
    assert digest == expected.content_hash
    assert read_line(line)["record"] == details


def test_each_has_an_id_of_its_own() -> None:
    """Two outcomes are two records."""
    sealing = outcomes()
    first, second = (read_line(sealing.seal("cert_1", {}, seq, PREV, KEYS[0])[0]) for seq in (1, 2))
    assert first["certificate_id"] != second["certificate_id"]
    assert verify_certificate(first, SECRET)


def test_a_new_key_is_taken_up() -> None:
    """After a rotation outcomes name the key that signs them."""
    sealing = outcomes()
    lines = [read_line(sealing.seal("cert_1", {}, seq, PREV, key)[0]) for seq, key in enumerate((*KEYS, KEYS[0]))]
    assert [line["key_id"] for line in lines] == [key.key_id for key in (*KEYS, KEYS[0])]
    assert [line["algorithm"] for line in lines] == ["HMAC-SHA256", "Ed25519", "HMAC-SHA256"]


class Broken:
    algorithm, key_id = "HMAC-SHA256", "0123456789abcdef"

    def __init__(self) -> None:
        self.answers: list[Any] = ["hmac-00"]

    def sign(self, content_hash: str) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


@pytest.mark.parametrize("answer", [ValueError("s3cret"), object(), None])
def test_whatever_a_signer_does_wrong_is_signing_failed(answer: object) -> None:
    """A broken key gives no record, and its error is not quoted."""
    signer: Any = Broken()
    signer.answers.append(answer)
    with pytest.raises(SigningFailed) as caught:
        outcomes().seal("cert_1", {}, 1, PREV, signer)
    assert "s3cret" not in str(caught.value)


def test_a_name_that_cannot_be_sealed_is_refused() -> None:
    """What would make a record that does not verify makes none."""
    with pytest.raises(SigningFailed):
        outcomes("cafe\u0301").seal("cert_1", {}, 1, PREV, KEYS[0])
