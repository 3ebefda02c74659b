"""From the parts' counters to rows of labels and values: everything that has to be known about the parts, and nothing
about Prometheus.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from eve_proxy import __version__
from eve_proxy.audit.journal import Journal
from eve_proxy.audit.suppression import Suppressor
from eve_proxy.counting import Latencies
from eve_proxy.enforcement.admin import Readiness
from eve_proxy.enforcement.counts import Counts
from eve_proxy.governance.breaker import State
from eve_proxy.governance.hosted import HostedGovernor
from eve_proxy.transport.factory import ProxyFactory

# How a call can end: what the breaker knows, so that nothing is missing before it happens for the first time.
ENDS: Final = ("answered", "upset", "unreachable", "abandoned", "refused")


class Batches(NamedTuple):
    """How many batches there were, and how many records in all of them."""

    batches: int
    records: int


Value: TypeAlias = float | Latencies | Batches
Row: TypeAlias = tuple[tuple[str, ...], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The parts that have counted.

    :ivar governor: None when the embedded one judges.
    :ivar readiness: what ``/readyz`` says.
    :ivar fail_open: EVE_PROXY_FAIL_CLOSED=0.
    :ivar monotonic: the clock that the journal goes by.
    """

    counts: Counts
    factory: ProxyFactory
    governor: HostedGovernor | None
    journal: Journal
    suppressor: Suppressor
    readiness: Callable[[], Readiness]
    fail_open: bool
    monotonic: Callable[[], float]


def settle(watched: Watched) -> None:
    """To be called every ``counting.SETTLE_SECONDS``."""
    counts, governor = watched.counts, watched.governor
    for latencies in (
        counts.enforcement,
        counts.requests.latency,
        counts.tunnels.latency,
        watched.journal.counts.appends,
    ):
        latencies.settle()
    if governor is not None:
        governor.latency.settle()


def read(watched: Watched) -> dict[str, list[Row]]:
    """The rows of every family of ``families.FAMILIES``, by its name."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for part in (_decisions, _governor, _journal, _connections, _state):
        for name, labels, value in part(watched):
            rows[f"eve_proxy_{name}"].append((labels, value))
    return rows


_Reading: TypeAlias = Iterator[tuple[str, tuple[str, ...], Value]]


def _decisions(watched: Watched) -> _Reading:
    counts = watched.counts
    decisions: defaultdict[tuple[str, ...], int] = defaultdict(int)
    answers: defaultdict[str, int] = defaultdict(int)
    for (outcome, route, pillar, rule, status), count in counts.decisions.items():
        decisions[outcome.value, "" if route is None else route.value, pillar or "", rule or ""] += count
        answers["gone" if status is None else str(status)] += count
    for labels, count in decisions.items():
        yield "decisions_total", labels, count
    for code, count in answers.items():
        yield "answers_total", (code,), count
    for number, count in counts.rejected.items():
        yield "rejected_requests_total", (str(number),), count
    yield "suppressed_refusals_total", (), watched.suppressor.suppressed
    yield "enforcement_duration_seconds", (), counts.enforcement
    relays = watched.factory.relays
    for kind, released, open_ in (("request", counts.requests, ()), ("tunnel", counts.tunnels, tuple(relays))):
        yield "upstream_duration_seconds", (kind,), released.latency
        yield "upstream_failures_total", (kind,), released.failed
        to_upstream = released.to_upstream + sum(relay.to_upstream for relay in open_)
        to_downstream = released.to_downstream + sum(relay.to_downstream for relay in open_)
        yield "content_bytes_total", (kind, "to_upstream"), to_upstream
        yield "content_bytes_total", (kind, "to_downstream"), to_downstream


def _governor(watched: Watched) -> _Reading:
    governor = watched.governor
    ended = dict.fromkeys(ENDS, 0) if governor is None else governor.breaker.ended
    for result, count in ended.items():
        yield "governor_calls_total", (result,), count
    state = State.CLOSED if governor is None else governor.breaker.state
    for each in State:
        yield "governor_breaker_state", (each.value,), each is state
    yield "governor_duration_seconds", (), Latencies() if governor is None else governor.latency
    yield "governor_calls_in_flight", (), 0 if governor is None else governor.slots.taken
    yield "governor_calls_waiting", (), 0 if governor is None else governor.slots.waiting
    yield "governor_calls_limit", (), 0 if governor is None else governor.slots.size


def _journal(watched: Watched) -> _Reading:
    journal = watched.journal
    counts = journal.counts
    yield "journal_append_duration_seconds", (), counts.appends
    yield "journal_batch_records", (), Batches(counts.appends.cumulative[-1], counts.records)
    yield "journal_records_total", (), counts.records
    yield "journal_written_bytes_total", (), counts.size
    yield "journal_failures_total", ("broken",), counts.broken
    yield "journal_failures_total", ("stalled",), counts.stalled
    yield "journal_outcomes_lost_total", (), journal.outcomes_lost
    yield "journal_problem", (), journal.problem is not None
    yield "journal_unsynced", (), not counts.durable
    yield "journal_sequence", (), counts.sequence
    yield "journal_head_age_seconds", (), watched.monotonic() - counts.landed_at
    yield "journal_free_bytes", (), counts.space.free
    yield "journal_filesystem_bytes", (), counts.space.total


def _connections(watched: Watched) -> _Reading:
    factory, dials = watched.factory, watched.factory.dialler.counts
    yield "connections_open", (), factory.connections
    yield "connections_limit", (), factory.limits.max_connections
    yield "connections_total", (), factory.accepted
    yield "connections_turned_away_total", (), factory.turned_away
    yield "tunnels_open", (), len(factory.relays)
    yield "tunnels_total", (), factory.relayed
    yield "upstream_connections_total", ("dialled",), dials.dialled
    yield "upstream_connections_total", ("reused",), dials.reused
    yield "upstream_connections_total", ("redialled",), dials.redialled
    yield "upstream_connections_total", ("loop",), dials.loops
    yield "buffered_bytes", (), factory.account.held
    yield "buffered_limit_bytes", (), factory.account.limit


def _state(watched: Watched) -> _Reading:
    yield "ready", (), watched.readiness().problem is None
    yield "draining", (), watched.factory.draining
    yield "fail_open", (), watched.fail_open
    yield "build_info", (__version__, platform.python_version(), *watched.journal.counts.key), 1
