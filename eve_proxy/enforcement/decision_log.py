"""One canonical line per decision: JSON, constant names, nothing secret (no path, no query, no header, no body)."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from eve_proxy.enforcement.counts import Counts
from eve_proxy.enforcement.server_name import UNSEEN, shown
from eve_proxy.interfaces import IClock
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Decision
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import LOCAL, Verdict
from eve_proxy.signing.seal import timestamp
from eve_proxy.wire.client_hello import Seen

# The names of a decision's line, for one without a request.
_UNREAD = {"event": "decision"} | dict.fromkeys(
    (
        "timestamp", "certificate_id", "verdict", "reason", "pillar", "vector", "governor", "route", "method", "host",
        "port", "peer", "org_id", "status", "latency_ms", "body_bytes", "log_seq", "parent", "request_id", "trace_id",
        "sni", "alpn", "ech", "detail",
    )
)  # fmt: skip


class DecisionLog:
    """Writes the lines, and counts them: metrics say the same as the log.

    :param write: takes one line, newline included; must not block for long.
    :ivar counts: what was decided, answered and let go so far.
    """

    def __init__(self, write: Callable[[bytes], object], clock: IClock) -> None:
        self._write = write
        self._clock = clock
        self.counts = Counts()

    def decided(
        self, decision: Decision, status: int | None, *, detail: str | None = None, seen: Seen | None = None
    ) -> None:
        """The line of one decision.

        :param status: what the client was answered, None when it was gone.
        :param detail: why there was no regular answer.
        :param seen: what a tunnel showed.
        """
        exchange, verdict, certificate = decision.exchange, decision.verdict, decision.certificate
        request, body = exchange.request, exchange.body
        authority = request.authority
        certificate_id = latency = parent = seq = None
        if certificate is not None:
            draft, log = certificate.draft, certificate.log
            certificate_id, latency, parent = draft.certificate_id, draft.latency_ms, draft.parent
            seq = None if log is None else log.seq
        if certificate is not None and decision.permit is not None:
            # What is released is told in its certificate's own words, which are clean.
            reason, pillar, vector, governor = draft.reason, draft.matched_pillar, draft.matched_vector, draft.governor
        else:
            reason, governor = clean(verdict.reason, 200), clean(verdict.governor, 253)
            pillar, vector = _printable(verdict.pillar, 32), _printable(verdict.vector, 32)
        outcome, route, counts = verdict.outcome, exchange.route, self.counts
        key = outcome, route, pillar, vector, status
        try:
            counts.decisions[key] += 1
        except KeyError:
            counts.meet(key, remote=governor != LOCAL)
        if latency is not None:
            counts.enforcement.observe(latency * 0.001)
        line = {
            "event": "decision",
            "timestamp": timestamp(self._clock.wall()),
            "certificate_id": certificate_id,
            "verdict": outcome._value_,
            "reason": reason,
            "pillar": pillar,
            "vector": vector,
            "governor": governor,
            "route": route._value_,
            "method": request.method,
            "host": authority.host,
            "port": authority.port,
            "peer": exchange.peer,
            "org_id": exchange.org_id,
            "status": status,
            "latency_ms": latency,
            "body_bytes": None if body is None else body.size,
            "log_seq": seq,
            "parent": parent,
            "request_id": request.request_id,
            "trace_id": request.trace_id,
            **(UNSEEN if seen is None else shown(seen)),
            "detail": detail,
        }
        self._write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def turned_away(
        self, peer: str, org_id: str, verdict: Verdict, certificate: DecisionCertificate | None, status: int | None
    ) -> None:
        """The line of a connection that was refused unread: what describes a request is null.

        :param status: as in ``decided``.
        """
        certificate_id = seq = None
        if certificate is not None:
            certificate_id = certificate.certificate_id
            seq = None if certificate.log is None else certificate.log.seq
        self.counts.meet((verdict.outcome, None, verdict.pillar, verdict.vector, status), remote=False)
        line = _UNREAD | {
            "timestamp": timestamp(self._clock.wall()),
            "certificate_id": certificate_id,
            "verdict": verdict.outcome.value,
            "reason": clean(verdict.reason, 200),
            "pillar": verdict.pillar,
            "vector": verdict.vector,
            "governor": verdict.governor,
            "peer": peer,
            "org_id": org_id,
            "status": status,
            "latency_ms": None if certificate is None else certificate.draft.latency_ms,
            "log_seq": seq,
        }
        self._write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def rejected(self, peer: str, status: int, fault: str) -> None:
        """Bytes that never became a request."""
        self.counts.rejected[status] += 1
        line = {
            "event": "rejected",
            "timestamp": timestamp(self._clock.wall()),
            "peer": peer,
            "status": status,
            "fault": fault,
        }
        self._write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _printable(text: str | None, characters: int) -> str | None:
    # As in the certificate. A judge's text must neither forge a line nor, by a lone surrogate, fail the whole answer.
    return None if text is None else clean(text, characters)
