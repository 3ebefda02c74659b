"""What forward and CONNECT share: circumstances in, a decision out, its line in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.enforcement import answers
from eve_proxy.enforcement.admission import Admission, overloaded
from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.interfaces import IBodySource, IClock, IEntropy
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import BodyInterrupted, Malformed, Overloaded
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.request import Request
from eve_proxy.transport.downstream import Downstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The parts every entry point needs.

    :ivar org_id: EVE_PROXY_ORG_ID.
    :ivar connect_sni: EVE_PROXY_CONNECT_SNI.
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
    transparent_verify: Literal["dial-name", "strict", "off"] = "dial-name"
    transparent_unnamed: Literal["refuse", "address"] = "refuse"

    def exchange(self, client: Downstream, request: Request, route: Route, coverage: Coverage) -> Exchange:
        """The request with its circumstances."""
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
        objection = self.admission.objection(exchange)
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

    def refuse(self, client: Downstream, decision: Decision) -> None:
        """Log a decision without permit and tell the client, in HTTP."""
        head_only = decision.exchange.request.method == "HEAD"
        if decision.failure is not None and decision.certificate is not None:
            self.log.decided(decision, 502, detail=decision.failure)
            answer = answers.upstream_error(decision.failure, decision.certificate, head_only=head_only)
            client.answer(answer, keep=False)
            return
        status, answer = answers.refusal(decision, head_only=head_only)
        self.log.decided(decision, None if client.gone else status)
        client.answer(answer, keep=False)


class Released:
    """Follows an exchange that was let go until its first answer (``transport.delivery.Outcome``)."""

    __slots__ = ("_decision", "_log")

    def __init__(self, decision: Decision, log: DecisionLog) -> None:
        self._decision = decision
        self._log = log

    def answered(self, status: int) -> None:
        """Upstream answered, or the tunnel is open."""
        self._log.decided(self._decision, status)

    def failed(self, detail: str) -> bytes:
        """Upstream failed: the 502."""
        self._log.decided(self._decision, 502, detail=detail)
        decision = self._decision
        assert decision.certificate is not None
        head_only = decision.exchange.request.method == "HEAD"
        return answers.upstream_error(detail, decision.certificate, head_only=head_only)

    def abandoned(self, detail: str) -> None:
        """The client did not wait."""
        self._log.decided(self._decision, None, detail=detail)
