"""A request and the circumstances it is judged in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

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
    """How much of the exchange was judged (evidence.md)."""

    FULL = "full"
    DESTINATION = "destination"
    HANDSHAKE = "handshake"
    NONE = "none"


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
