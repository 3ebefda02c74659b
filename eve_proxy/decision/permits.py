"""The only module that makes permits (law 3). A test reads the source of all others to keep it so."""

from __future__ import annotations

from typing import Final

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Mode, Permit, Ticket
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import PERMITS, Verdict

# Answered with the head that was sent; TRACK is IIS's. Squid, for one, takes trace for TRACE.
_REFLECTED: Final = frozenset(("TRACE", "TRACK"))


class NotPermitted(AssertionError):
    """A permit was asked for without a recorded decision that opens the gate: a defect of ours."""


def permit_for(
    exchange: Exchange,
    verdict: Verdict,
    certificate: DecisionCertificate,
    addresses: tuple[IPAddress, ...],
    via: str | None = None,
) -> Permit:
    """Turn a recorded allow and its judged addresses into a permit.

    :param addresses: none where the parent proxy ``via`` resolves the name.
    :param via: the parent proxy to go through.
    :raises NotPermitted: the outcome does not permit, the certificate is not in the journal or says something else,
        or there is neither an address nor a proxy that would find one, or an address was left open that is known.
    """
    if PERMITS.get(verdict.outcome) is not True:
        raise NotPermitted("the outcome does not permit")
    if certificate.log is None or certificate.draft.verdict != verdict.outcome._value_:
        raise NotPermitted("the decision is not recorded")
    request = exchange.request
    if not addresses and (via is None or request.authority.address is not None):
        raise NotPermitted("no judged address")
    return Permit(
        authority=request.authority,
        addresses=addresses,
        mode=mode_of(request) if addresses else mode_by_name(request),
        certificate_id=certificate.draft.certificate_id,
        ticket=Ticket(),
        via=via,
    )


def mode_of(request: Request) -> Mode:
    """What a permit for ``request`` opens."""
    if request.is_connect:
        return Mode.TUNNEL
    return Mode.UPGRADE if request.websocket else Mode.FORWARD


def mode_by_name(request: Request) -> Mode:
    """The same, where a parent proxy resolves the name.

    Most of them refuse CONNECT to port 80, so that plain HTTP is asked of them in absolute-form (RFC 9112 section
    3.2.2). A WebSocket's upgrade would be lost on the way: that needs a tunnel. So does TRACE, which may be answered
    with the very head that was sent, and in absolute-form that has our credentials.
    """
    mode = mode_of(request)
    carried_out = mode is Mode.FORWARD and request.scheme == "http" and request.method.upper() not in _REFLECTED
    return Mode.RELAYED if carried_out else mode
