"""What follows a permit: the line in the log, the answer to a failure, and the outcome."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.audit.records import Records
from eve_proxy.enforcement.released import Released
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.verification import verify_certificate
from eve_proxy.transport.relay_account import Ending, Side
from tests.enforcement.bench import GateBench
from tests.enforcement.test_gate import Client, line, rule
from tests.fakes.journal import JournalClock, link
from tests.fakes.ports import SECRET, FakeEntropy
from tests.integration.sidecar import head_of


def released(bench: GateBench, method: str = "POST", address: str | None = None) -> Released:
    decision = rule(bench, Client(), method=method)
    assert decision is not None
    assert decision.permit is not None
    decision.permit.ticket.dialled = None if address is None else ip_address(address)
    return bench.gate.released(decision)


def outcome(bench: GateBench) -> dict[str, Any]:
    ((parent, details),) = bench.outcomes
    assert parent == bench.sink.certificates[0].certificate_id
    return details


def test_answered_and_complete() -> None:
    """The line has upstream's status; the outcome says how much went each way, for how long, and to which address."""
    bench = GateBench()
    exchange = released(bench, address="93.184.216.34")
    exchange.answered(204)
    assert (line(bench)["status"], line(bench)["verdict"], line(bench)["detail"]) == (204, "allow", None)
    assert bench.outcomes == []
    bench.clock.advance(1.2344)
    exchange.ended(Ending.COMPLETE, Side.UPSTREAM, to_downstream=1000)
    assert outcome(bench) == {
        "address": "93.184.216.34",
        "ended": "complete",
        "ended_by": "upstream",
        "seconds": 1.234,
        "status": 204,
        "to_downstream": 1000,
        "to_upstream": 5,
        "via": None,
    }


def test_a_tunnel() -> None:
    """A relay knows what went up."""
    bench = GateBench()
    exchange = released(bench)
    exchange.answered(200)
    exchange.ended(Ending.RESET, Side.DOWNSTREAM, to_downstream=7, to_upstream=9)
    details = outcome(bench)
    assert (details["ended"], details["ended_by"]) == ("reset", "downstream")
    assert (details["to_downstream"], details["to_upstream"]) == (7, 9)


@pytest.mark.parametrize(("method", "sent"), [("POST", b"upstream error: reset"), ("HEAD", b"")])
def test_failed(method: str, sent: bytes) -> None:
    """The client gets a 502 with the allow's certificate, and the line says why."""
    bench = GateBench()
    status, fields, body = head_of(released(bench, method).failed("reset"))
    assert (status, body) == (502, sent)
    assert json.loads(fields["x-eve-decision-cert"]) == bench.sink.certificates[0].to_dict()
    assert (line(bench)["status"], line(bench)["detail"]) == (502, "reset")
    assert (outcome(bench)["status"], outcome(bench)["ended"]) == (502, "failed")


def test_abandoned() -> None:
    """A client that did not wait has no status."""
    bench = GateBench()
    released(bench).abandoned("the client went away")
    assert (line(bench)["status"], line(bench)["detail"]) == (None, "the client went away")
    assert (outcome(bench)["status"], outcome(bench)["ended"], outcome(bench)["ended_by"]) == (
        None,
        "abandoned",
        "downstream",
    )


@given(
    seconds=st.floats(0, 1e7) | st.integers(0, 100).map(float),
    sizes=st.tuples(st.integers(0, 2**50), st.integers(0, 2**50)),
    status=st.integers(100, 599),
    ending=st.sampled_from(Ending),
    by=st.sampled_from(Side),
)
def test_every_outcome_verifies(seconds: float, sizes: tuple[int, int], status: int, ending: Ending, by: Side) -> None:
    """Whatever happened, the record has the one spelling that verifiers accept."""
    bench = GateBench()
    exchange = released(bench, address="2001:db8::1")
    exchange.answered(status)
    bench.clock.advance(seconds)
    exchange.ended(ending, by, to_downstream=sizes[0], to_upstream=sizes[1])
    records = Records(org_id="acme", caller="sidecar", clock=JournalClock(), entropy=FakeEntropy())
    certificate = seal(records.outcome("cert_1", outcome(bench)), link(), HmacSigner(SECRET))
    assert read_line(certificate.line) == certificate.to_dict()
    assert verify_certificate(certificate.line, SECRET)


def test_the_way_it_went() -> None:
    """The outcome names the parent proxy, whether or not anything was reached through it."""
    bench = GateBench(ways=Ways(name="proxy.corp.example:3128", direct=HostSet()))
    released(bench, address="93.184.216.34").failed("parent proxy proxy.corp.example:3128: connection refused")
    assert outcome(bench)["via"] == "proxy.corp.example:3128"
    assert list(outcome(bench)) == sorted(outcome(bench))
