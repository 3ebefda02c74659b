"""What the journal says in its own name."""

from __future__ import annotations

from eve_proxy.audit.records import Records
from eve_proxy.audit.recovery import Cut
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from tests.fakes.journal import JournalClock, draft, link
from tests.fakes.ports import SECRET, FakeEntropy

RECORDS = Records(org_id="acme", caller="sidecar", clock=JournalClock(), entropy=FakeEntropy())

SIGNER = HmacSigner(SECRET)


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
    closed = RECORDS.session_close({"outcomes_lost": 0})
    assert (closed.kind, closed.record) == ("session_close", {"outcomes_lost": 0})
    recovered = RECORDS.recovered("why", Cut(size=3, sha256="ab"), cause="disk full", refused=2)
    assert (recovered.kind, recovered.reason) == ("recovered", "why")
    assert recovered.record == {"bytes": 3, "sha256": "ab", "cause": "disk full", "refused": 2}
    landed = seal(draft(7), link(), SIGNER)
    void = RECORDS.void(landed)
    assert (void.kind, void.parent, void.record) == (
        "void", landed.certificate_id, {"content_hash": landed.content_hash},
    )  # fmt: skip


def test_only_decisions_are_refused() -> None:
    """There is no verdict on a record that is not a decision."""
    assert RECORDS.refusal(draft(kind="suppressed"), "x") is None
