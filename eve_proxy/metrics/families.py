"""Every metric of ours, once. This table drives what is exposed and the table in docs/metrics.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram", "summary", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric.

    :ivar name: in full, as it stands in a query; of a histogram or summary, without ``_bucket``, ``_sum``, ``_count``.
    :ivar labels: in the order in which ``reading.Row`` gives their values.
    :ivar help: what it says, on one line.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def _family(name: str, kind: Kind, help: str, *labels: str) -> Family:
    return Family(name=f"eve_proxy_{name}", kind=kind, labels=labels, help=help)


FAMILIES: Final[tuple[Family, ...]] = (
    _family(
        "decisions_total", "counter",
        "Lines of the decision log by verdict, route, and the certificate's matched_pillar and matched_vector.",
        "verdict", "route", "pillar", "rule",
    ),
    _family("answers_total", "counter", "The same lines by what the client was answered; gone: it had left.", "code"),
    _family("rejected_requests_total", "counter", "Answers to bytes that never became a request, by status.", "code"),
    _family("suppressed_refusals_total", "counter", "Refusals in a flood, without a record of their own."),
    _family("enforcement_duration_seconds", "histogram", "The enforcement clock of certified decisions (latency_ms)."),
    _family("governor_duration_seconds", "histogram", "Calls of the decision service, however they ended."),
    _family(
        "upstream_duration_seconds", "histogram",
        "From the permit to upstream's response head, or until a tunnel was open and had shown what it is.", "kind",
    ),
    _family("upstream_failures_total", "counter", "Allowed exchanges that upstream did not answer (502).", "kind"),
    _family("governor_calls_total", "counter", "Calls of the decision service by how they ended.", "result"),
    _family("governor_breaker_state", "gauge", "1 for the state that the breaker is in.", "state"),
    _family("governor_calls_in_flight", "gauge", "Calls of the decision service under way."),
    _family("governor_calls_waiting", "gauge", "Calls that wait for others to end."),
    _family("governor_calls_limit", "gauge", "EVE_PROXY_GOVERNANCE_CONCURRENCY; 0 with the embedded governor."),
    _family("journal_append_duration_seconds", "histogram", "From handing a batch over to its being durable."),
    _family("journal_batch_records", "summary", "Records per batch."),
    _family("journal_records_total", "counter", "Records that became durable since the start."),
    _family("journal_written_bytes_total", "counter", "Their bytes."),
    _family("journal_failures_total", "counter", "Batches that could not be written, or not in time.", "reason"),
    _family("journal_outcomes_lost_total", "counter", "Outcomes that have no record."),
    _family("journal_problem", "gauge", "1 while nothing can be recorded, and so nothing is released."),
    _family("journal_unsynced", "gauge", "1 with EVE_PROXY_AUDIT_SYNC=off."),
    _family("journal_sequence", "gauge", "Number of the next record of the chain (log.seq)."),
    _family("journal_head_age_seconds", "gauge", "Seconds since the last record became durable."),
    _family("journal_free_bytes", "gauge", "Free space of the journal's file system."),
    _family("journal_filesystem_bytes", "gauge", "Size of the journal's file system."),
    _family("connections_open", "gauge", "Client connections, tunnels included."),
    _family("connections_limit", "gauge", "EVE_PROXY_MAX_CONNECTIONS."),
    _family("connections_total", "counter", "Client connections so far."),
    _family("connections_turned_away_total", "counter", "Client connections that were one too many."),
    _family("tunnels_open", "gauge", "Tunnels that are relayed: CONNECT, WebSocket, redirected TLS."),
    _family("tunnels_total", "counter", "Such tunnels so far."),
    _family(
        "content_bytes_total", "counter",
        "Bytes of request and response bodies that have ended, and of tunnels as they flow.", "kind", "direction",
    ),
    _family("upstream_connections_total", "counter", "How exchanges got their upstream connection.", "origin"),
    _family("buffered_bytes", "gauge", "Bytes of bodies held in memory."),
    _family("buffered_limit_bytes", "gauge", "EVE_PROXY_MAX_BUFFERED."),
    _family("ready", "gauge", "1 while /readyz says 200."),
    _family("draining", "gauge", "1 while it is stopping."),
    _family("fail_open", "gauge", "1 with EVE_PROXY_FAIL_CLOSED=0: failures of judging let requests out."),
    _family("build_info", "info", "What runs, and the key that signs.", "version", "python", "key_id", "algorithm"),
)  # fmt: skip
