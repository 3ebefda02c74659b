"""What the journal says in its own name."""

from __future__ import annotations

import pytest

from eve_proxy.audit.records import Records, too_slow, unavailable, unwritable
from eve_proxy.audit.recovery import Cut, JournalReplaced
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from tests.fakes.journal import JournalClock, draft, link
from tests.fakes.ports import SECRET, FakeEntropy

RECORDS = Records(org_id="acme", caller="sidecar", clock=JournalClock(), entropy=FakeEntropy())

SIGNER = HmacSigner(SECRET)


class Broken(HmacSigner):
    """Cannot sign."""

    def __init__(self) -> None:
        super().__init__(SECRET)

    def sign(self, content_hash: str) -> str:
        raise OSError("the token is gone")


def test_draft_of_a_record() -> None:
    """A record of the journal has no verdict, its own random id, and the organisation's name."""
    one = RECORDS.draft("void", "because", {"a": 1}, parent="cert_1")
    two = RECORDS.draft("void", "because", {"a": 1})
    assert one.certificate_id != two.certificate_id
    assert one.certificate_id.startswith("cert_")
    assert len(one.certificate_id) == 21
    assert (one.kind, one.verdict, one.org_id, one.caller, one.parent) == ("void", None, "acme", "sidecar", "cert_1")


def test_refusal_keeps_what_was_asked_and_drops_who_allowed_it() -> None:
    """The answer without a line says fail_closed in our own name, about the same request and under the same id."""
    asked = draft(decision_ref="audit-7", matched_vector="706", record={"modified": True}, parent="cert_0")
    refusal = RECORDS.refusal(asked, "disk\nfull")
    assert refusal is not None
    assert (refusal.certificate_id, refusal.request, refusal.parent) == (asked.certificate_id, asked.request, "cert_0")
    assert (refusal.verdict, refusal.matched_pillar, refusal.matched_vector) == ("fail_closed", "114", None)
    assert (refusal.governor, refusal.policy, refusal.decision_ref, refusal.record) == ("local", None, None, None)
    assert refusal.reason == "the decision could not be recorded: disk\ufffdfull"


def test_what_both_journals_say() -> None:
    """Daemon and library processes write the same records, with the same names in them."""
    closed = RECORDS.session_close()
    assert (closed.kind, closed.record) == ("session_close", {})
    recovered = RECORDS.recovered("why", Cut(size=3, sha256="ab"), cause="disk full", refused=2)
    assert (recovered.kind, recovered.reason) == ("recovered", "why")
    assert recovered.record == {"bytes": 3, "sha256": "ab", "cause": "disk full", "refused": 2}
    landed = seal(draft(7), link(), SIGNER)
    void = RECORDS.void(landed)
    assert (void.kind, void.parent, void.record) == (
        "void", landed.certificate_id, {"content_hash": landed.content_hash},
    )  # fmt: skip


def test_the_error_carries_a_certificate_without_a_line() -> None:
    """Whoever is refused holds a signed proof of it, unless there is no decision or not even that can be signed."""
    error = unavailable(draft(), "disk full", RECORDS, SIGNER)
    assert str(error) == "disk full"
    assert error.certificate is not None
    assert (error.certificate.log, error.certificate.draft.verdict) == (None, "fail_closed")
    assert unavailable(draft(kind="suppressed"), "disk full", RECORDS, SIGNER).certificate is None
    assert unavailable(draft(), "disk full", RECORDS, Broken()).certificate is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "/secret/path"), "No such file or directory"),
        (JournalReplaced("another file stands at the journal's path"), "another file stands at the journal's path"),
        (OSError(), "OSError"),
    ],
)
def test_problems_are_told_without_paths(error: Exception, said: str) -> None:
    """A client learns what is wrong with the disk, not where it is."""
    assert unwritable(error) == f"the journal cannot be written: {said}"
    assert too_slow(2.5) == "the journal's disk did not answer within 2.5 s"


def test_only_decisions_are_refused() -> None:
    """There is no verdict on a record that is not a decision."""
    assert RECORDS.refusal(draft(kind="suppressed"), "x") is None
