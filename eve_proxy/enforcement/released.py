"""What becomes of an exchange that was let go: its line in the log when it is answered, and its ``outcome`` record."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from eve_proxy.enforcement import answers
from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.interfaces import IClock
from eve_proxy.model.decision import Decision
from eve_proxy.model.exchange import WHOLE_REQUEST
from eve_proxy.transport.relay_account import Ending, Side
from eve_proxy.wire.client_hello import Seen

# Writing an address out takes longer than anything else that an outcome says.
_spelled = lru_cache(maxsize=1024)(str)


class Released:
    """Follows one exchange to its end (``transport.delivery.Outcome``).

    :param record: takes the id of the decision's certificate, and the ``record`` of the outcome.
    """

    __slots__ = ("_began", "_counts", "_decision", "_log", "_now", "_record", "_status")

    def __init__(
        self, decision: Decision, log: DecisionLog, record: Callable[[str, dict[str, Any]], object], clock: IClock
    ) -> None:
        self._decision = decision
        self._log = log
        self._record = record
        self._now = clock.monotonic
        self._began = clock.monotonic()
        self._status: int | None = None
        counts = log.counts
        self._counts = counts.requests if decision.exchange.coverage in WHOLE_REQUEST else counts.tunnels

    def answered(self, status: int, *, seen: Seen | None = None, detail: str | None = None) -> None:
        """Upstream answered, or the tunnel is open."""
        self._status = status
        self._counts.latency.observe(self._now() - self._began)
        self._log.decided(self._decision, status, seen=seen, detail=detail)

    def failed(self, detail: str) -> bytes:
        """Upstream failed: the 502."""
        self._status = 502
        self._counts.failed += 1
        self._log.decided(self._decision, 502, detail=detail)
        self.ended(Ending.FAILED, Side.UPSTREAM, to_downstream=0, to_upstream=0)
        decision = self._decision
        assert decision.certificate is not None
        head_only = decision.exchange.request.method == "HEAD"
        return answers.upstream_error(detail, decision.certificate, head_only=head_only)

    def abandoned(self, detail: str) -> None:
        """The client did not wait."""
        self._log.decided(self._decision, None, detail=detail)
        self.ended(Ending.ABANDONED, Side.DOWNSTREAM, to_downstream=0, to_upstream=0)

    def ended(self, ending: Ending, by: Side, *, to_downstream: int, to_upstream: int | None = None) -> None:
        """It is over. Nothing waits for the record."""
        decision = self._decision
        assert decision.certificate is not None
        permit, body = decision.permit, decision.exchange.body
        dialled = None if permit is None else permit.ticket.dialled
        if to_upstream is None:
            to_upstream = 0 if body is None else body.size
        counts = self._counts
        counts.to_upstream += to_upstream
        counts.to_downstream += to_downstream
        seconds = round(self._now() - self._began, 3)
        # As it stands in the line: keys sorted, whole numbers as integers (``audit.outcomes`` relies on it).
        details = {
            "address": None if dialled is None else _spelled(dialled),
            "ended": ending._value_,  # plain attributes; an enum's ``value`` is a function in Python
            "ended_by": by._value_,
            "seconds": int(seconds) if seconds.is_integer() else seconds,
            "status": self._status,
            "to_downstream": to_downstream,
            "to_upstream": to_upstream,
            "via": None if permit is None else permit.via,
        }
        self._record(decision.certificate.certificate_id, details)
