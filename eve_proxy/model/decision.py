"""A verdict that has been certified and recorded, and the permit that may follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.errors import PermitSpent
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.lean import lean
from eve_proxy.model.verdict import Verdict


class Mode(Enum):
    """What a permit opens: one HTTP exchange, a WebSocket after a matching 101, or an opaque tunnel.

    RELAYED is one HTTP exchange, too: asked of the parent proxy in absolute-form, which carries it out.
    """

    FORWARD = "forward"
    RELAYED = "relayed"
    UPGRADE = "upgrade"
    TUNNEL = "tunnel"


class Ticket:
    """One use. The only mutable value of this floor: a permit must not open two connections.

    :ivar dialled: the address that it was used for, once there is a connection; None when a parent proxy chose it.
    """

    __slots__ = ("_taken", "dialled")

    def __init__(self) -> None:
        self._taken = False
        self.dialled: IPAddress | None = None

    def take(self) -> None:
        """Use it up.

        :raises PermitSpent: it was used before.
        """
        if self._taken:
            raise PermitSpent("this permit was already used")
        self._taken = True


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to connect to these addresses and to nothing else (law 3). Made only by ``decision/permits.py``.

    :ivar addresses: what the name resolved to when it was judged, never looked up again. Empty only with ``via``, and
        only then the name may be told to anyone: to that proxy, which resolves it (EVE_PROXY_UPSTREAM_PROXY_BY=name).
    :ivar certificate_id: the recorded allow it rests on.
    :ivar via: the parent proxy to go through, ``host:port``; None: directly. There is no other way than this one.
    """

    authority: Authority
    addresses: tuple[IPAddress, ...]
    mode: Mode
    certificate_id: str
    ticket: Ticket
    via: str | None = None


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the pipeline answers.

    :ivar exchange: as judged: with its body, and with obligations applied when a permit came of it.
    :ivar certificate: None only when signing failed.
    :ivar permit: None unless the outcome permits and every obligation was carried out.
    :ivar failure: a text for the client when there is an allow but no permit (the name did not resolve): 502.
    """

    exchange: Exchange
    verdict: Verdict
    certificate: DecisionCertificate | None
    permit: Permit | None = None
    failure: str | None = None
