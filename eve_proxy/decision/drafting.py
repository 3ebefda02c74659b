"""From an exchange and a verdict to the certificate's fields (evidence.md). Digests, never content."""

from __future__ import annotations

from typing import Any

from eve_proxy.model.certificate import Draft
from eve_proxy.model.digest import request_digest
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import Verdict


def draft_of(
    exchange: Exchange,
    verdict: Verdict,
    *,
    latency: float,
    timestamp: str,
    certificate_id: str | None = None,
    parent: str | None = None,
    record: dict[str, Any] | None = None,
) -> Draft:
    """Everything but the place in the journal and the signature.

    :param exchange: as it was judged, before any obligation changed it.
    :param latency: seconds on the enforcement clock.
    :param certificate_id: another id than the exchange's, for a second certificate of one exchange.
    """
    milliseconds = round(latency * 1000.0, 3)
    pillar, vector, reference = verdict.pillar, verdict.vector, verdict.decision_ref
    return Draft(
        certificate_id=certificate_id or exchange.id,
        verdict=verdict.outcome._value_,  # plain attributes; an enum's ``value`` is a function in Python
        reason=clean(verdict.reason, 200),
        matched_pillar=None if pillar is None else clean(pillar, 32),
        matched_vector=None if vector is None else clean(vector, 32),
        caller=exchange.caller,
        org_id=exchange.org_id,
        latency_ms=int(milliseconds) if milliseconds.is_integer() else milliseconds,
        timestamp=timestamp,
        parent=parent or exchange.parent,
        request=request_digest(exchange),
        coverage=exchange.coverage._value_,
        governor=clean(verdict.governor, 253, escaped=253),
        policy=verdict.policy,
        decision_ref=None if reference is None else clean(reference, 128),
        witness=verdict.witness,
        record=record,
    )
