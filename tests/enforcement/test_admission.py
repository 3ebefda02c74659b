"""Who is let in, and what a flood of those who are not can write into the journal."""

from __future__ import annotations

import pytest

from eve_proxy.enforcement.admission import OVERLOAD, Admission, overloaded
from eve_proxy.model.decision import Decision
from eve_proxy.model.verdict import Outcome, Verdict, refuse
from tests.enforcement.bench import GateBench
from tests.fakes.ports import drive, exchange_of

PER_PEER, IN_ALL = 10, 100  # evidence.md: "up to 10 per peer address and 100 in all per minute"


def admission(bench: GateBench) -> Admission:
    return bench.gate.admission


def refused(bench: GateBench, peer: str = "10.1.2.3", verdict: Verdict | None = None) -> Decision:
    """One refusal of ``peer``."""
    exchange = exchange_of(peer=peer)
    objection = verdict or admission(bench).objection(exchange)
    assert objection is not None
    return drive(admission(bench).refuse(exchange, objection))


@pytest.mark.parametrize(
    ("peer", "admitted"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("unix", True), ("10.1.2.3", False), ("", False)],
)
def test_only_listed_clients(peer: str, admitted: bool) -> None:
    """By default this machine may use the proxy, and nobody else."""
    objection = admission(GateBench()).objection(exchange_of(peer=peer))
    assert (objection is None) == admitted


def test_the_refusal_names_the_variable() -> None:
    """An operator reads in the 403 and in its certificate what to set."""
    bench = GateBench()
    decision = refused(bench)
    assert (decision.verdict.outcome, decision.verdict.status) == (Outcome.BLOCK, 403)
    assert "EVE_PROXY_ALLOWED_CLIENTS" in decision.verdict.reason
    assert decision.certificate is bench.sink.certificates[0]
    assert decision.certificate.draft.matched_vector == "client"
    assert decision.permit is None


def test_a_flood_from_one_address() -> None:
    """Ten records, then only a count; a minute later the address gets records again."""
    bench = GateBench()
    assert [refused(bench).certificate is not None for _ in range(13)] == [True] * PER_PEER + [False] * 3
    assert len(bench.sink.certificates) == PER_PEER
    counted = bench.suppressor.drain()
    assert counted is not None
    assert (counted["count"], counted["kinds"], counted["peers"]) == (3, {"client": 3}, {"10.1.2.3": 3})
    bench.clock.advance(60)
    assert refused(bench).certificate is not None


def test_a_flood_from_many_addresses() -> None:
    """A hundred records a minute in all, whoever they come from; every refusal stays a refusal."""
    bench = GateBench()
    decisions = [refused(bench, f"10.0.{number}.1") for number in range(120)]
    assert sum(decision.certificate is not None for decision in decisions) == IN_ALL
    assert {decision.verdict.outcome for decision in decisions} == {Outcome.BLOCK}
    assert all(decision.permit is None for decision in decisions)


def test_overload_is_counted_as_such() -> None:
    """503 with the reason; beyond the bound it is counted under its own name."""
    bench = GateBench()
    verdict = overloaded("too much at once")
    assert (verdict.outcome, verdict.status, verdict.vector, verdict.reason) == (
        Outcome.BLOCK, 503, OVERLOAD, "too much at once",
    )  # fmt: skip
    for _ in range(PER_PEER + 1):
        refused(bench, "127.0.0.1", verdict)
    counted = bench.suppressor.drain()
    assert counted is not None
    assert counted["kinds"] == {OVERLOAD: 1}


def test_a_refusal_without_a_rule_is_counted_too() -> None:
    """The count has a name even for a verdict that names no rule."""
    bench = GateBench()
    nameless = Verdict(outcome=Outcome.BLOCK, reason="no", status=429)
    for _ in range(PER_PEER + 1):
        refused(bench, verdict=nameless)
    counted = bench.suppressor.drain()
    assert counted is not None
    assert counted["kinds"] == {OVERLOAD: 1}


def test_nobody_is_asked_about_them() -> None:
    """The governor and DNS hear nothing of those who may not use the proxy."""
    bench = GateBench()
    refused(bench)
    refused(bench, verdict=refuse("client", "no", status=403))
    assert bench.governor.asked == []
    assert not bench.reached_the_network
