"""Entry points of connections that the kernel redirected to us: their clients know of no proxy (security.md).

What is judged is the name that the client shows, in ``Host`` or in its ClientHello, and where it leads is where we
dial. The address that the client meant is believed only where there is no name, or where the operator says so
(EVE_PROXY_TRANSPARENT_VERIFY, EVE_PROXY_TRANSPARENT_UNNAMED): a client can put any name before any address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from zope.interface import implementer

from eve_proxy.enforcement import forward
from eve_proxy.enforcement.gate import Gate
from eve_proxy.enforcement.released import Released
from eve_proxy.enforcement.server_name import ACCESS_DENIED
from eve_proxy.interfaces import IResolver
from eve_proxy.model.authority import Authority, IPAddress, parse_authority
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import InvalidAuthority, Malformed
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.transport.downstream import Downstream
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.wire.client_hello import ClientHello, Seen, protocol_name
from eve_proxy.wire.events import Form, RequestHead

RULE: Final = "transparent"
_TLS: Final = 0x16
# TLS alert, fatal, internal_error (RFC 8446 section 6): upstream cannot be reached.
_INTERNAL_ERROR: Final = b"\x15\x03\x03\x00\x02\x02\x50"


async def enter(gate: Gate, client: Downstream, destination: Authority, head: RequestHead) -> None:
    """Decide an HTTP request and forward it.

    :param destination: the literal address and the port that the client meant.
    """
    disagreement = _disagreement(head, destination)
    if disagreement is not None:
        client.malformed(disagreement)
        return
    gate = _leading(gate, destination)
    coverage = Coverage.HANDSHAKE if head.request.websocket else Coverage.FULL
    exchange = gate.exchange(client, head.request, Route.TRANSPARENT, coverage)
    decision = await gate.rule(client, exchange, client.body)
    if decision is None or decision.permit is None:
        return
    objection = _elsewhere(gate, decision, destination)
    if objection is None:
        forward.release(gate, client, decision)
    else:
        gate.refuse(client, await gate.pipeline.refuse(decision.exchange, objection, parent=decision.certificate))


async def enter_tunnel(gate: Gate, client: Downstream, destination: Authority, seen: Seen, held: bytes) -> None:
    """Decide what is not HTTP by the name in its ClientHello, or by its address, and relay it untouched.

    :param held: what the client has sent: it goes first.
    """
    authority, objection = _named(seen, destination, held)
    if objection is not None and gate.transparent_unnamed == "address":
        authority, objection = authority or destination, None
    gate = _leading(gate, destination)
    request = Request(
        method="CONNECT", scheme="https", authority=authority or destination, target=b"", headers=Headers()
    )
    exchange = gate.exchange(client, request, Route.TRANSPARENT, Coverage.DESTINATION)
    words = _Words(gate, ACCESS_DENIED, _INTERNAL_ERROR) if held[0] == _TLS else _Words(gate, b"", b"")
    if objection is not None and gate.admission.objection(exchange, late=client.late) is None:
        words.refuse(client, await gate.pipeline.refuse(exchange, objection))
        return
    decision = await gate.rule(client, exchange, None, words.refuse)
    if decision is None or decision.permit is None:
        return
    objection = _elsewhere(gate, decision, destination)
    if objection is not None:
        words.refuse(client, await gate.pipeline.refuse(exchange, objection, parent=decision.certificate))
        return
    client.tunnel(decision.permit, TunnelOpening(client, b"", words.released(decision), held=held))


@implementer(IResolver)
@dataclass(frozen=True, slots=True)
class _AsDialled:
    """EVE_PROXY_TRANSPARENT_VERIFY=off: every name leads where the client was going. It is judged there like any
    address that a name leads to, and the name like any name. So there is nothing to leave to a parent proxy.
    """

    address: IPAddress

    async def resolve(self, host: str) -> tuple[IPAddress, ...]:
        """The client's own address."""
        return (self.address,)


def _leading(gate: Gate, destination: Authority) -> Gate:
    """The gate, with the client's word for where names lead if the operator takes it."""
    if gate.transparent_verify != "off":
        return gate
    assert destination.address is not None
    ways = gate.pipeline.ways
    known = None if ways is None else replace(ways, by_name=False)
    return replace(gate, pipeline=replace(gate.pipeline, resolver=_AsDialled(destination.address), ways=known))


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


@dataclass(frozen=True, slots=True)
class _Words:
    """What a client reads that would not understand an HTTP answer: alerts of TLS, or nothing but the end.

    :ivar refusal: there is no permit.
    :ivar failure: there is one, and no way to the upstream.
    """

    gate: Gate
    refusal: bytes
    failure: bytes

    def refuse(self, client: Downstream, decision: Decision) -> None:
        """As ``Gate.refuse``."""
        if decision.failure is not None and decision.certificate is not None:
            client.answer(self.released(decision).failed(decision.failure), keep=False)
        else:
            self.gate.log.decided(decision, None)
            client.answer(self.refusal, keep=False)

    def released(self, decision: Decision) -> Released:
        """As ``Gate.released``."""
        return _Tunnel(decision, self.gate, self.failure)


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
