"""Entry points of connections that the kernel redirected to us: their clients know of no proxy (security.md).

What is judged is the name that the client shows, in ``Host`` or in its ClientHello, and where it leads is where we
dial. The address that the client meant is believed only where there is no name, or where the operator says so
(EVE_PROXY_TRANSPARENT_VERIFY, EVE_PROXY_TRANSPARENT_UNNAMED): a client can put any name before any address.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from eve_proxy.enforcement import forward
from eve_proxy.enforcement.gate import Gate
from eve_proxy.enforcement.released import Released
from eve_proxy.enforcement.server_name import ACCESS_DENIED
from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import InvalidAuthority, Malformed
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.transport.downstream import Downstream
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.wire.client_hello import ClientHello, Seen, protocol_name
from eve_proxy.wire.events import Form, RequestHead

RULE: Final = "transparent"
# TLS alert, fatal, internal_error (RFC 8446 section 6): upstream cannot be reached.
_INTERNAL_ERROR: Final = b"\x15\x03\x03\x00\x02\x02\x50"
_TLS: Final = 0x16


async def enter(gate: Gate, client: Downstream, destination: Authority, head: RequestHead) -> None:
    """Decide an HTTP request and forward it.

    :param destination: the literal address and the port that the client meant.
    """
    request = head.request
    disagreement = _disagreement(head, destination)
    if disagreement is not None:
        client.malformed(disagreement)
        return
    if gate.transparent_verify == "off":
        request = replace(request, authority=_at(request.authority, destination))
    coverage = Coverage.HANDSHAKE if request.websocket else Coverage.FULL
    exchange = gate.exchange(client, request, Route.TRANSPARENT, coverage)
    decision = await gate.rule(client, exchange, client.body)
    if decision is None or decision.permit is None:
        return
    objection = _elsewhere(gate, decision, destination)
    if objection is None:
        forward.release(gate, client, decision)
    else:
        gate.refuse(client, await gate.pipeline.refuse(exchange, objection, parent=decision.certificate))


async def enter_tunnel(gate: Gate, client: Downstream, destination: Authority, seen: Seen, held: bytes) -> None:
    """Decide what is not HTTP by the name in its ClientHello, or by its address, and relay it untouched.

    :param held: what the client has sent: it goes first.
    """
    authority, objection = _named(seen, destination, held)
    if objection is not None and gate.transparent_unnamed == "address":
        authority, objection = authority or destination, None
    if authority is not None and gate.transparent_verify == "off":
        authority = _at(authority, destination)
    exchange = gate.exchange(client, _tunnel_to(authority or destination), Route.TRANSPARENT, Coverage.DESTINATION)
    answers = _TlsAnswers(gate) if held[:1] == bytes([_TLS]) else _Silence(gate)
    if objection is not None:
        answers.refuse(client, await _certified(gate, exchange, objection))
        return
    decision = await gate.rule(client, exchange, None, answers.refuse)
    if decision is None or decision.permit is None:
        return
    objection = _elsewhere(gate, decision, destination)
    if objection is not None:
        answers.refuse(client, await gate.pipeline.refuse(exchange, objection, parent=decision.certificate))
        return
    client.tunnel(decision.permit, TunnelOpening(client, b"", answers.outcome(decision), held=held))


def _disagreement(head: RequestHead, destination: Authority) -> Malformed | None:
    """What in a request contradicts the connection it came by."""
    authority = head.request.authority
    if head.form is Form.AUTHORITY:
        return Malformed("connect-redirected", "CONNECT on a connection that was not made to this proxy")
    if authority.port != destination.port:
        return Malformed("host-disagrees", "the Host names another port than the connection was made to")
    if authority.address is not None and authority.address != destination.address:
        return Malformed("host-disagrees", "the Host names another address than the connection was made to")
    return None


def _named(seen: Seen, destination: Authority, held: bytes) -> tuple[Authority | None, Verdict | None]:
    """The authority that a ClientHello names, and why it cannot be believed, or that there is none."""
    if not isinstance(seen, ClientHello):
        looks = protocol_name(held)
        said = "" if looks == "unknown" else f" (it looks like {looks})"
        return None, refuse(RULE, f"a redirected connection that cannot be named: {seen.reason}{said}")
    if seen.sni is None:
        return None, refuse(RULE, "a redirected connection that cannot be named: its ClientHello names no host")
    try:
        authority = parse_authority(seen.sni, destination.port)
    except InvalidAuthority:
        return None, refuse(RULE, "a redirected connection whose ClientHello names no valid host")
    if seen.ech:
        return authority, refuse(RULE, "a redirected connection with an encrypted ClientHello: its host is not known")
    return authority, None


def _elsewhere(gate: Gate, decision: Decision, destination: Authority) -> Verdict | None:
    """EVE_PROXY_TRANSPARENT_VERIFY=strict: the name must lead to where the client was going."""
    if gate.transparent_verify != "strict" or decision.permit is None:
        return None
    if destination.address in decision.permit.addresses:
        return None
    return refuse(RULE, "the name does not lead to the address that the connection was made to")


def _at(authority: Authority, destination: Authority) -> Authority:
    """The same name, reached at the client's address: it is judged as an address too."""
    return replace(authority, address=destination.address)


def _tunnel_to(authority: Authority) -> Request:
    return Request(method="CONNECT", scheme="https", authority=authority, target=b"", headers=Headers())


async def _certified(gate: Gate, exchange: Exchange, objection: Verdict) -> Decision:
    return await gate.admission.refuse(exchange, gate.admission.objection(exchange) or objection)


class _Silence:
    """For a protocol that we do not speak: the connection ends, and the journal says why."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def refuse(self, client: Downstream, decision: Decision) -> None:
        """No permit."""
        self._gate.log.decided(decision, None, detail=decision.failure)
        client.answer(self.refusal, keep=False)

    def outcome(self, decision: Decision) -> Released:
        """Follows the tunnel."""
        return _Tunnel(decision, self._gate, self.failure)

    refusal = failure = b""


class _TlsAnswers(_Silence):
    """The same, and TLS has words for it."""

    refusal, failure = ACCESS_DENIED, _INTERNAL_ERROR


class _Tunnel(Released):
    """An HTTP 502 would not be understood."""

    __slots__ = ("_last",)

    def __init__(self, decision: Decision, gate: Gate, last: bytes) -> None:
        super().__init__(decision, gate.log, gate.outcome, gate.clock)
        self._last = last

    def failed(self, detail: str) -> bytes:
        """Upstream failed."""
        super().failed(detail)
        return self._last
