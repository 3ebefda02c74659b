"""Every counter reaches its row."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from twisted.python.failure import Failure

from eve_proxy.audit.file import FreeSpace
from eve_proxy.counting import Latencies
from eve_proxy.metrics.families import FAMILIES
from eve_proxy.metrics.reading import Batches, read, settle
from eve_proxy.model.errors import Overloaded
from tests.metrics.bench import ComposedProxy

POST = b"POST http://93.184.216.34:8080/v1 HTTP/1.1\r\nHost: 93.184.216.34:8080\r\nContent-Length: 2\r\n\r\n{}"
HOSTED = {"EVE_PROXY_GOVERNANCE_URL": "http://127.0.0.1:9"}


def test_every_family_has_its_rows(tmp_path: Path) -> None:
    """The rows are those of the table, with as many labels and a value of the right kind; none is forgotten."""
    proxy = ComposedProxy(tmp_path)
    proxy.ask(b"garbage\r\n\r\n")
    rows = read(proxy.parts.watched)
    assert set(rows) == {family.name for family in FAMILIES}
    kinds = {"histogram": Latencies, "summary": Batches, "counter": int, "gauge": int | float, "info": int}
    for family in FAMILIES:
        for labels, value in rows[family.name]:
            assert len(labels) == len(family.labels), family.name
            assert all(isinstance(label, str) for label in labels)
            assert isinstance(value, kinds[family.kind]), family.name
        assert len({labels for labels, _ in rows[family.name]}) == len(rows[family.name]), family.name


def test_a_fresh_proxy(tmp_path: Path) -> None:
    """Ready, closed, nothing counted; what can be missed is 0 and not absent."""
    samples = ComposedProxy(tmp_path).samples
    for name, value in {
        "eve_proxy_ready": 1,
        "eve_proxy_draining": 0,
        "eve_proxy_fail_open": 0,
        "eve_proxy_journal_problem": 0,
        "eve_proxy_journal_unsynced": 0,
        "eve_proxy_journal_sequence": 1,
        "eve_proxy_connections_limit": 10000,
        "eve_proxy_buffered_limit_bytes": 256 << 20,
        'eve_proxy_governor_breaker_state{state="closed"}': 1,
        'eve_proxy_governor_breaker_state{state="open"}': 0,
        'eve_proxy_governor_calls_total{result="refused"}': 0,
        'eve_proxy_decisions_total{pillar="114",route="forward",rule="",verdict="fail_closed"}': 0,
        'eve_proxy_answers_total{code="502"}': 0,
        'eve_proxy_journal_failures_total{reason="broken"}': 0,
        'eve_proxy_upstream_connections_total{origin="loop"}': 0,
    }.items():
        assert samples[name] == value, name


def test_a_decision_is_everywhere(tmp_path: Path) -> None:
    """One refused request: decision, answer, latency, record, connection."""
    proxy = ComposedProxy(tmp_path)
    assert proxy.ask(POST.replace(b"93.184.216.34", b"10.0.0.1"))[0] == 451
    samples = proxy.samples
    for name in (
        'eve_proxy_decisions_total{pillar="local",route="forward",rule="destination",verdict="block"}',
        'eve_proxy_answers_total{code="451"}',
        "eve_proxy_enforcement_duration_seconds_count",
        "eve_proxy_journal_records_total",
        "eve_proxy_journal_append_duration_seconds_count",
        "eve_proxy_journal_batch_records_sum",
        "eve_proxy_connections_total",
        "eve_proxy_connections_open",
    ):
        assert samples[name] == 1, name
    assert samples["eve_proxy_journal_written_bytes_total"] == len(proxy.journal.lines()[1]) + 1


def test_a_call_under_way(tmp_path: Path) -> None:
    """While the service thinks: in flight, buffered, and one waiting behind it."""
    proxy = ComposedProxy(tmp_path, EVE_PROXY_GOVERNANCE_CONCURRENCY="1", **HOSTED)
    proxy.say(POST)
    proxy.say(POST)
    samples = proxy.samples
    assert samples["eve_proxy_governor_calls_in_flight"] == 1
    assert samples["eve_proxy_governor_calls_waiting"] == 1
    assert samples["eve_proxy_governor_calls_limit"] == 1
    assert samples["eve_proxy_buffered_bytes"] > 4
    assert samples['eve_proxy_upstream_connections_total{origin="dialled"}'] == 0


def test_an_open_breaker(tmp_path: Path) -> None:
    """The state has one 1, and the calls that were not made are counted."""
    proxy = ComposedProxy(tmp_path, EVE_PROXY_GOVERNANCE_BREAKER="1", EVE_PROXY_READY_NEEDS_GOVERNOR="1", **HOSTED)
    proxy.say(POST)
    proxy.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    proxy.say(POST)
    samples = proxy.samples
    states = {name: value for name, value in samples.items() if name.startswith("eve_proxy_governor_breaker_state")}
    assert states == {
        'eve_proxy_governor_breaker_state{state="closed"}': 0,
        'eve_proxy_governor_breaker_state{state="open"}': 1,
        'eve_proxy_governor_breaker_state{state="probing"}': 0,
    }
    assert samples['eve_proxy_governor_calls_total{result="unreachable"}'] == 1
    assert samples['eve_proxy_governor_calls_total{result="refused"}'] == 1
    assert samples['eve_proxy_decisions_total{pillar="114",route="forward",rule="",verdict="fail_closed"}'] == 2
    assert samples["eve_proxy_ready"] == 0


def test_a_journal_in_trouble(tmp_path: Path) -> None:
    """Not ready, the failure is counted, the chain stands still, and the space is what was measured."""
    proxy = ComposedProxy(tmp_path)
    proxy.journal.disk.room = 0
    proxy.journal.disk.space = FreeSpace(free=7, total=100)
    assert proxy.ask(POST)[0] == 503
    samples = proxy.samples
    assert samples["eve_proxy_journal_problem"] == 1
    assert samples["eve_proxy_ready"] == 0
    assert samples['eve_proxy_journal_failures_total{reason="broken"}'] >= 1
    assert samples["eve_proxy_journal_sequence"] == 1
    assert samples["eve_proxy_journal_filesystem_bytes"] == 20 << 30


def test_tunnels_are_counted_while_they_flow(tmp_path: Path) -> None:
    """A tunnel that stays open for days shows its bytes, and they neither vanish nor double when it ends."""
    proxy = ComposedProxy(tmp_path)
    counts, factory = proxy.parts.watched.counts, proxy.parts.factory
    relay = mock.Mock(to_upstream=10, to_downstream=1000)
    factory.relays.add(relay)
    row = 'eve_proxy_content_bytes_total{direction="to_downstream",kind="tunnel"}'
    assert proxy.samples[row] == 1000
    assert proxy.samples["eve_proxy_tunnels_open"] == 1
    factory.relays.discard(relay)
    counts.tunnels.to_downstream += 1000
    assert proxy.samples[row] == 1000


def test_settling_reaches_every_histogram(tmp_path: Path) -> None:
    """Nothing is put by for ever, whether anybody scrapes or not."""
    proxy = ComposedProxy(tmp_path, **HOSTED)
    watched = proxy.parts.watched
    rows = [value for each in read(watched).values() for _, value in each if isinstance(value, Latencies)]
    assert len(rows) == 5
    for latencies in rows:
        latencies.observe(1)
    settle(watched)
    assert [latencies._fresh for latencies in rows] == [[]] * 5


def test_fail_open_draining_and_suppressed(tmp_path: Path) -> None:
    """The switches and the flood."""
    proxy = ComposedProxy(tmp_path, EVE_PROXY_FAIL_CLOSED="0")
    for _ in range(12):
        proxy.ask(POST, peer="10.9.9.9")
    proxy.parts.factory.drain()
    samples = proxy.samples
    assert samples["eve_proxy_fail_open"] == 1
    assert samples["eve_proxy_draining"] == 1
    assert samples["eve_proxy_suppressed_refusals_total"] == 2
    assert samples['eve_proxy_answers_total{code="403"}'] == 12


def test_bounds(tmp_path: Path) -> None:
    """A connection too many, and bodies that fill the account."""
    proxy = ComposedProxy(tmp_path, EVE_PROXY_MAX_CONNECTIONS="1", EVE_PROXY_MAX_BUFFERED="20000000")
    proxy.say(b"")
    proxy.say(b"")
    proxy.parts.factory.account.take(20_000_000)
    try:
        proxy.parts.factory.account.take(1)
    except Overloaded:
        pass
    samples = proxy.samples
    assert samples["eve_proxy_connections_turned_away_total"] == 1
    assert samples["eve_proxy_connections_limit"] == 1
    assert samples["eve_proxy_buffered_bytes"] == samples["eve_proxy_buffered_limit_bytes"] == 20_000_000


def test_connections_through_a_parent_proxy_are_counted(tmp_path: Path) -> None:
    """The ways out count together."""
    proxy = ComposedProxy(tmp_path, EVE_PROXY_UPSTREAM_PROXY="http://10.9.9.9:3129")
    row = 'eve_proxy_upstream_connections_total{origin="dialled"}'
    before = proxy.samples[row]
    proxy.say(b"GET http://93.184.216.34/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert proxy.samples[row] == before + 1
