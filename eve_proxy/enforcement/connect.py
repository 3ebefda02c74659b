"""Entry point: CONNECT. Host and port are judged, and that the tunnel begins as one to that host; what travels inside
is not ours to see (coverage ``destination``).
"""

from __future__ import annotations

from eve_proxy.enforcement import answers, server_name
from eve_proxy.enforcement.gate import Gate
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Decision
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.verdict import Verdict
from eve_proxy.transport.downstream import Downstream
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.transport.tunnel_watch import ENDED, WatchedOpening
from eve_proxy.wire.client_hello import Seen, protocol_name
from eve_proxy.wire.events import RequestHead


async def enter(gate: Gate, client: Downstream, head: RequestHead) -> None:
    """Decide a tunnel, open it, and relay or sever it by what it shows first."""
    exchange = gate.exchange(client, head.request, Route.CONNECT, Coverage.DESTINATION)
    decision = await gate.rule(client, exchange, None)
    if decision is None or decision.permit is None or decision.certificate is None:
        return
    established, outcome = answers.established(decision.certificate), gate.released(decision)
    if gate.connect_sni == "off":
        client.tunnel(decision.permit, TunnelOpening(client, established, outcome))
        return
    lenient = gate.connect_sni == "log"
    tunnel = WatchedOpening(client, established, outcome, lenient=lenient)
    client.tunnel(decision.permit, tunnel)
    seen = await tunnel.seen
    if seen is None:
        return
    refusal = server_name.objection(head.request.authority, seen, tunnel.held)
    if seen is ENDED and not tunnel.held:
        refusal = None  # strict would not have refused it either: nothing was asked to travel
    if refusal is None or lenient:
        detail = None if refusal is None else f"relayed all the same (EVE_PROXY_CONNECT_SNI=log): {refusal.reason}"
        outcome.answered(200, seen=seen, detail=detail)
        tunnel.carry_on()
    else:
        outcome.answered(200, seen=seen)
        await _sever(gate, client, decision, decision.certificate, tunnel, seen, refusal)


async def _sever(
    gate: Gate,
    client: Downstream,
    decision: Decision,
    allow: DecisionCertificate,
    tunnel: WatchedOpening,
    seen: Seen,
    refusal: Verdict,
) -> None:
    """Record the refusal, and only then end both connections."""
    record = {"tunnel": dict(server_name.shown(seen))}
    second = await gate.pipeline.refuse(decision.exchange, refusal, parent=allow, record=record)
    status, last = None, b""
    spoken = protocol_name(tunnel.held)
    if spoken == "TLS":
        last = server_name.ACCESS_DENIED
    elif spoken == "HTTP":
        status, last = answers.refusal(second.verdict, second.certificate)
    gate.log.decided(second, None if client.gone else status, seen=seen, detail="the tunnel was severed")
    tunnel.sever(last)
