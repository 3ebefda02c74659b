"""What is counted of decisions: agreed with the log, and bounded whatever judges say."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.enforcement.counts import MOST, OTHER, Counts
from eve_proxy.model.exchange import Route
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.transport.relay_account import Ending, Side
from tests.enforcement.bench import GateBench
from tests.enforcement.test_gate import Client, rule
from tests.fakes.ports import FakeGovernor

TEXT = st.one_of(st.none(), st.text(max_size=40), st.text(alphabet='\ud800\n"\\{}é/@.', max_size=40))


def seen(counts: Counts) -> dict[object, int]:
    return {key: count for key, count in counts.decisions.items() if count}


def test_every_line_of_the_log_is_counted_once() -> None:
    """The sum of decisions_total is the number of decision lines, and answers_total has their statuses."""
    bench = GateBench(blocked="pastebin.com", clients="loopback")
    head = "GET http://{}/ HTTP/1.1\r\nHost: {}\r\n\r\n"
    for host, peer in (("pastebin.com", "127.0.0.1"), ("10.0.0.1", "127.0.0.1"), ("api.example.com", "10.9.9.9")):
        bench.converse(head.format(host, host).encode(), peer=peer)
    bench.converse(b"garbage\r\n\r\n")
    lines = [json.loads(line) for line in bench.lines]
    decided = [line for line in lines if line["event"] == "decision"]
    counts = bench.gate.log.counts
    assert seen(counts) == {
        (Outcome.BLOCK, Route.FORWARD, line["pillar"], line["vector"], line["status"]): 1 for line in decided
    }
    assert sorted(line["status"] for line in decided) == [403, 451, 451]
    assert dict(counts.rejected) == {400: 1}
    assert counts.enforcement.cumulative[-1] == 3


def test_a_connection_too_many_has_no_route() -> None:
    """It is counted, and no route is made up for what nobody has read."""
    bench = GateBench(max_connections=1)
    bench.converse()
    bench.converse()
    assert seen(bench.gate.log.counts) == {(Outcome.BLOCK, None, "local", "overload", 503): 1}


def test_what_was_let_go() -> None:
    """Upstream's time, the bytes each way, and the failures."""
    bench = GateBench()
    for answered in (True, False):
        decision = rule(bench, Client())
        assert decision is not None
        released = bench.gate.released(decision)
        bench.clock.advance(0.2)
        if answered:
            released.answered(200)
            released.ended(Ending.COMPLETE, Side.UPSTREAM, to_downstream=1000)
        else:
            released.failed("nobody there")
    counts = bench.gate.log.counts
    assert counts.requests.latency.cumulative[-1] == 1
    assert round(counts.requests.latency.sum, 3) == 0.2
    assert (counts.requests.to_upstream, counts.requests.to_downstream, counts.requests.failed) == (5, 1000, 1)
    assert seen(counts) == {
        (Outcome.ALLOW, Route.FORWARD, None, None, 200): 1,
        (Outcome.ALLOW, Route.FORWARD, None, None, 502): 1,
    }
    assert counts.tunnels.latency.cumulative[-1] == 0


def test_failures_are_there_before_they_happen() -> None:
    """The first fail_closed is an increase of a series from 0, which an alert sees, not a series from nowhere."""
    assert Counts().decisions[Outcome.FAIL_CLOSED, Route.FORWARD, "114", None, 503] == 0


def test_a_service_cannot_make_series_without_end() -> None:
    """After many different rules the rest is `other`; the local rules keep their names all the same."""
    counts = Counts()
    for number in range(10 * MOST):
        counts.meet((Outcome.BLOCK, Route.FORWARD, "128", f"rule-{number}", 451), remote=True)
    counts.meet((Outcome.BLOCK, Route.FORWARD, "local", "blocklist", 451), remote=False)
    found = seen(counts)
    assert len(found) <= MOST + 2
    assert found[Outcome.BLOCK, Route.FORWARD, OTHER, OTHER, 451] > 8 * MOST
    assert found[Outcome.BLOCK, Route.FORWARD, "local", "blocklist", 451] == 1
    assert sum(found.values()) == 10 * MOST + 1


def test_labels_hold_no_host_path_or_address() -> None:
    """A rule that spells one out is counted as `other`."""
    counts = Counts()
    for rule_name in ("api.example.com", "/v1/secret", "user@host", "10.0.0.1", "2001:db8::1 ", "a b"):
        counts.meet((Outcome.BLOCK, Route.FORWARD, "128", rule_name, 451), remote=True)
    assert seen(counts) == {(Outcome.BLOCK, Route.FORWARD, OTHER, OTHER, 451): 6}


def test_statuses_are_those_that_http_knows() -> None:
    """An upstream that answers every number there is makes one series of what is none."""
    counts = Counts()
    for status in range(100, 1000):
        counts.meet((Outcome.ALLOW, Route.FORWARD, None, None, status), remote=True)
    assert len(counts.decisions) < 100
    assert counts.decisions[Outcome.ALLOW, Route.FORWARD, None, None, OTHER] > 800


@given(pillar=TEXT, vector=TEXT)
def test_no_text_of_a_judge_fails_a_request(pillar: str | None, vector: str | None) -> None:
    """Whatever a decision service answers, it is counted and the client gets its 451."""
    verdict = Verdict(outcome=Outcome.BLOCK, reason="no", pillar=pillar, vector=vector, governor="gov")
    bench = GateBench(governor=FakeGovernor(verdict))
    said = bench.converse(b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n").value()
    assert said.startswith(b"HTTP/1.1 451 ")
    assert sum(seen(bench.gate.log.counts).values()) == 1
