"""Entry point: an HTTP request in absolute-form (and its WebSocket upgrade)."""

from __future__ import annotations

from eve_proxy.enforcement import answers
from eve_proxy.enforcement.gate import Gate
from eve_proxy.model.decision import Decision
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import RequestHead


async def enter(gate: Gate, client: Downstream, head: RequestHead) -> None:
    """Decide a request and forward it."""
    coverage = Coverage.HANDSHAKE if head.request.websocket else Coverage.FULL
    exchange = gate.exchange(client, head.request, Route.FORWARD, coverage)
    decision = await gate.rule(client, exchange, client.body)
    if decision is not None:
        release(gate, client, decision)


def release(gate: Gate, client: Downstream, decision: Decision) -> None:
    """Forward what got a permit."""
    if decision.permit is None or decision.certificate is None:
        return
    body = decision.exchange.body
    client.forward(
        decision.permit,
        decision.exchange.request,
        () if body is None else body.chunks,
        answers.stamp(decision.certificate),
        gate.released(decision),
    )
