"""A request and the circumstances it is judged in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from eve_proxy.model.body import Body
from eve_proxy.model.lean import lean
from eve_proxy.model.request import Request

EGRESS_CALLER = "sidecar.forward_proxy.egress"


class Route(Enum):
    """The way by which an exchange came to us; the value is its name in the governance API."""

    FORWARD = "forward"
    CONNECT = "connect"
    TRANSPARENT = "transparent"
    INTERCEPTED = "intercepted"
    EXT_AUTHZ = "ext_authz"
    LIBRARY = "library"

    __hash__ = object.__hash__  # see Outcome


class Coverage(Enum):
    """How much of the exchange was judged (evidence.md).

    ``…_unverified_address``: a parent proxy resolves the name and nobody here sees to which address
    (EVE_PROXY_UPSTREAM_PROXY_BY=name). Everything else is judged as without it.
    """

    FULL = "full"
    DESTINATION = "destination"
    HANDSHAKE = "handshake"
    NONE = "none"
    FULL_UNVERIFIED_ADDRESS = "full_unverified_address"
    DESTINATION_UNVERIFIED_ADDRESS = "destination_unverified_address"
    HANDSHAKE_UNVERIFIED_ADDRESS = "handshake_unverified_address"

    @property
    def unverified(self) -> Coverage:
        """The same, where the address is left to a parent proxy."""
        return _UNVERIFIED.get(self, self)


_UNVERIFIED: Final = {
    Coverage.FULL: Coverage.FULL_UNVERIFIED_ADDRESS,
    Coverage.DESTINATION: Coverage.DESTINATION_UNVERIFIED_ADDRESS,
    Coverage.HANDSHAKE: Coverage.HANDSHAKE_UNVERIFIED_ADDRESS,
}
# Every byte of the request itself was judged.
WHOLE_REQUEST: Final = frozenset((Coverage.FULL, Coverage.FULL_UNVERIFIED_ADDRESS))


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the pipeline judges.

    :ivar id: ``cert_`` + 16 hex: the certificate's id and the governance call's ``request_id``.
    :ivar peer: the client's address as text, without port.
    :ivar peer_port: the client's port.
    :ivar received_at: wall clock, seconds since the epoch.
    :ivar parent: id of the certificate that this one follows, or None.
    :ivar body: None until it has been read.
    """

    id: str
    route: Route
    request: Request
    peer: str
    peer_port: int
    org_id: str
    caller: str
    received_at: float
    coverage: Coverage
    parent: str | None = None
    body: Body | None = None

    def with_body(self, body: Body) -> Exchange:
        """The same exchange, its body read. Spelled out: ``dataclasses.replace`` takes twice as long."""
        return Exchange(
            id=self.id,
            route=self.route,
            request=self.request,
            peer=self.peer,
            peer_port=self.peer_port,
            org_id=self.org_id,
            caller=self.caller,
            received_at=self.received_at,
            coverage=self.coverage,
            parent=self.parent,
            body=body,
        )
