"""The certificate's fields have one order."""

from eve_proxy.model.certificate import FIELDS, unsigned_fields
from tests.fakes.ports import FakeSink, drive, exchange_of


def test_keys_are_the_tables() -> None:
    """The guide's fields first, in the guide's order, then ours: with and without the optional parts."""
    from eve_proxy.decision.drafting import draft_of
    from eve_proxy.model.verdict import Outcome, PolicyRef, Verdict

    verdict = Verdict(outcome=Outcome.ALLOW, reason="ok", policy=PolicyRef(set="egress_v1", sha256="0" * 64))
    draft = draft_of(exchange_of(), verdict, latency=0.001412, timestamp="2026-04-16T14:22:03.847Z")
    certificate = drive(FakeSink().record(draft))
    assert tuple(certificate.to_dict()) == FIELDS
    assert tuple(unsigned_fields(draft, "a", "k", None)) == FIELDS
    assert certificate.to_dict()["latency_ms"] == 1.412


def test_secrets_and_lines_stay_out_of_reprs() -> None:
    """A traceback shows a short certificate."""
    from eve_proxy.decision.drafting import draft_of
    from eve_proxy.model.verdict import Outcome, Verdict

    draft = draft_of(
        exchange_of(), Verdict(outcome=Outcome.ALLOW, reason="ok"), latency=1, timestamp="2026-04-16T14:22:03.847Z"
    )
    certificate = drive(FakeSink().record(draft))
    assert certificate.line.decode() not in repr(certificate)
