"""Who may use the proxy at all, before there is anything to judge (security.md, "Who may use the proxy")."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.audit.suppression import Suppressor
from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Decision
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.policy.clients import AllowedClients, refusal

OVERLOAD = "overload"
DRAINING = "draining"
_STOPPING = refuse(DRAINING, "the proxy is shutting down; try again later", status=503)
_TOO_MANY = refuse(OVERLOAD, "too many connections (EVE_PROXY_MAX_CONNECTIONS); try again later", status=503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The client list, and the bound on how many such refusals a flood can write into the journal."""

    clients: AllowedClients
    suppressor: Suppressor
    pipeline: Pipeline

    def objection(self, exchange: Exchange, *, late: bool = False) -> Verdict | None:
        """A refusal for a client that is not listed, or that came while the daemon was stopping."""
        if not self.clients.admits(exchange.peer):
            return refusal(exchange.peer)
        return _STOPPING if late else None

    async def refuse(self, exchange: Exchange, verdict: Verdict) -> Decision:
        """Refuse with a certificate of its own, or, in a flood, with a count in the next ``suppressed`` record."""
        if self.suppressor.admit(exchange.peer, verdict.vector or OVERLOAD):
            return await self.pipeline.refuse(exchange, verdict)
        return Decision(exchange=exchange, verdict=verdict, certificate=None)

    async def turn_away(self, peer: str, org_id: str) -> tuple[Verdict, DecisionCertificate | None]:
        """Refuse a connection that is one too many; as ``refuse``, but there is no request."""
        if self.suppressor.admit(peer, OVERLOAD):
            return await self.pipeline.turn_away(_TOO_MANY, org_id=org_id, record={"peer": peer})
        return _TOO_MANY, None


def overloaded(reason: str) -> Verdict:
    """503 with Retry-After."""
    return refuse(OVERLOAD, reason, status=503)
