"""The only module that makes permits (law 3). A test reads the source of all others to keep it so."""

from __future__ import annotations

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Mode, Permit, Ticket
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import PERMITS, Verdict


class NotPermitted(AssertionError):
    """A permit was asked for without a recorded decision that opens the gate: a defect of ours."""


def permit_for(
    exchange: Exchange, verdict: Verdict, certificate: DecisionCertificate, addresses: tuple[IPAddress, ...]
) -> Permit:
    """Turn a recorded allow and its judged addresses into a permit.

    :raises NotPermitted: the outcome does not permit, the certificate is not in the journal or says something else,
        or there is no address.
    """
    if PERMITS.get(verdict.outcome) is not True:
        raise NotPermitted("the outcome does not permit")
    if certificate.log is None or certificate.draft.verdict != verdict.outcome._value_:
        raise NotPermitted("the decision is not recorded")
    if not addresses:
        raise NotPermitted("no judged address")
    request = exchange.request
    return Permit(
        authority=request.authority,
        addresses=addresses,
        mode=mode_of(request),
        certificate_id=certificate.draft.certificate_id,
        ticket=Ticket(),
    )


def mode_of(request: Request) -> Mode:
    """What a permit for ``request`` opens."""
    if request.is_connect:
        return Mode.TUNNEL
    return Mode.UPGRADE if request.websocket else Mode.FORWARD
