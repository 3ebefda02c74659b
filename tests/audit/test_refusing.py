"""What a client and an operator read when a record is not durable."""

from __future__ import annotations

from eve_proxy.audit.records import Records
from eve_proxy.audit.refusing import refusal, too_slow, unwritable
from eve_proxy.signing.hmac_key import HmacSigner
from tests.audit.test_journal import Moody
from tests.fakes.journal import JournalClock, draft, no_space
from tests.fakes.ports import SECRET, FakeEntropy

RECORDS = Records(org_id="acme", caller="sidecar", clock=JournalClock(), entropy=FakeEntropy())


def test_a_decision_is_refused_with_a_certificate() -> None:
    """The client gets a signed fail_closed without a line."""
    error = refusal(draft(), "disk full", RECORDS, HmacSigner(SECRET))
    assert error.certificate is not None
    assert (error.certificate.log, error.certificate.draft.verdict) == (None, "fail_closed")


def test_without_a_certificate() -> None:
    """What is no decision, or cannot be signed either, is an error and no more."""
    signer = Moody(SECRET)
    assert refusal(draft(kind="suppressed"), "disk full", RECORDS, signer).certificate is None
    signer.broken = True
    assert refusal(draft(), "disk full", RECORDS, signer).certificate is None


def test_paths_are_not_told() -> None:
    """The text goes into certificates: it says what is wrong with the disk, not where the journal lies."""
    error = no_space()
    error.filename = "/var/lib/secret/place"
    assert unwritable(error) == "the journal cannot be written: No space left on device"
    assert unwritable(ValueError()) == "the journal cannot be written: ValueError"


def test_a_slow_disk() -> None:
    """The limit that was passed is named."""
    assert too_slow(2.5) == "the journal's disk did not answer within 2.5 s"
