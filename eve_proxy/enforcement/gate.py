"""What forward and CONNECT share: circumstances in, a decision out, its line in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.enforcement import answers
from eve_proxy.enforcement.admission import Admission, overloaded
from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.enforcement.released import Released
from eve_proxy.interfaces import IBodySource, IClock, IEntropy
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import BodyInterrupted, Malformed, Overloaded
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.request import Request
from eve_proxy.policy.clients import refusal
from eve_proxy.transport.downstream import Downstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The parts every entry point needs.

    :ivar org_id: EVE_PROXY_ORG_ID.
    :ivar connect_sni: EVE_PROXY_CONNECT_SNI.
    :ivar outcome: records what became of an exchange that was let go: the id of its certificate, and details.
    :ivar transparent_verify: EVE_PROXY_TRANSPARENT_VERIFY.
    :ivar transparent_unnamed: EVE_PROXY_TRANSPARENT_UNNAMED.
    """

    pipeline: Pipeline
    admission: Admission
    log: DecisionLog
    clock: IClock
    entropy: IEntropy
    org_id: str
    connect_sni: Literal["strict", "log", "off"]
    outcome: Callable[[str, dict[str, Any]], object]
    transparent_verify: Literal["dial-name", "strict", "off"] = "dial-name"
    transparent_unnamed: Literal["refuse", "address"] = "refuse"

    def exchange(self, client: Downstream, request: Request, route: Route, coverage: Coverage) -> Exchange:
        """The request with its circumstances."""
        ways = self.pipeline.ways
        if ways is not None and ways.leaves_name(request.authority):
            coverage = coverage.unverified
        return Exchange(
            id=f"cert_{self.entropy.hex(8)}",
            route=route,
            request=request,
            peer=client.peer,
            peer_port=client.peer_port,
            org_id=self.org_id,
            caller=EGRESS_CALLER,
            received_at=self.clock.wall(),
            coverage=coverage,
        )

    def released(self, decision: Decision) -> Released:
        """Who follows a decision that lets its exchange go."""
        return Released(decision, self.log, self.outcome, self.clock)

    async def rule(
        self,
        client: Downstream,
        exchange: Exchange,
        source: IBodySource | None,
        refuse: Callable[[Downstream, Decision], object] | None = None,
    ) -> Decision | None:
        """Decide; refuse by ourselves what gets no permit.

        :param refuse: tells the client, where an HTTP answer would not be understood.
        :returns: a decision with a permit that the entry point must use now, or None when all has been said.
        """
        objection = self.admission.objection(exchange, late=client.late)
        if objection is not None:
            decision = await self.admission.refuse(exchange, objection)
        else:
            try:
                decision = await self.pipeline.decide(exchange, source)
            except Malformed as error:
                client.malformed(error)
                return None
            except BodyInterrupted:
                client.abort()
                return None
            except Overloaded as error:
                decision = await self.admission.refuse(exchange, overloaded(str(error)))
        if decision.permit is not None:
            return decision
        (refuse or self.refuse)(client, decision)
        return None

    async def refuse_stranger(self, client: Downstream, request: Request) -> None:
        """Answer a client that is not listed, whatever it asked of the proxy itself."""
        exchange = self.exchange(client, request, Route.FORWARD, Coverage.NONE)
        self.refuse(client, await self.admission.refuse(exchange, refusal(client.peer)))

    async def turn_away(self, client: Downstream) -> None:
        """Answer a connection that is one too many."""
        verdict, certificate = await self.admission.turn_away(client.peer, self.org_id)
        status, answer = answers.refusal(verdict, certificate)
        told = client.turn_away(answer)
        self.log.turned_away(client.peer, self.org_id, verdict, certificate, status if told else None)

    def refuse(self, client: Downstream, decision: Decision) -> None:
        """Log a decision without permit and tell the client, in HTTP."""
        head_only = decision.exchange.request.method == "HEAD"
        if decision.failure is not None and decision.certificate is not None:
            client.answer(self.released(decision).failed(decision.failure), keep=False)
            return
        status, answer = answers.refusal(decision.verdict, decision.certificate, head_only=head_only)
        self.log.decided(decision, None if client.gone else status)
        client.answer(answer, keep=False)
