"""Entry point: CONNECT. Host and port are judged; what travels inside is not ours to see (coverage ``destination``)."""

from __future__ import annotations

from eve_proxy.enforcement import answers
from eve_proxy.enforcement.gate import Gate, Released
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import RequestHead


async def enter(gate: Gate, client: Downstream, head: RequestHead) -> None:
    """Decide a tunnel and open it."""
    exchange = gate.exchange(client, head.request, Route.CONNECT, Coverage.DESTINATION)
    decision = await gate.rule(client, exchange, None)
    if decision is None or decision.permit is None or decision.certificate is None:
        return
    client.tunnel(decision.permit, answers.established(decision.certificate), Released(decision, gate.log))
