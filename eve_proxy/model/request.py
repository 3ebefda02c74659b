"""What an application asks for, after the edge: nothing here is ever parsed again (law 6)."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.model.authority import Authority
from eve_proxy.model.headers import Headers
from eve_proxy.model.lean import lean


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    :ivar method: a token (RFC 9110 section 9.1), case kept: ``POST``, ``CONNECT``, ``MKCALENDAR``.
    :ivar scheme: ``http`` or ``https``; ``https`` for CONNECT.
    :ivar target: origin-form path and query as they will be sent, or ``*``; empty for CONNECT.
    :ivar headers: end-to-end fields only: no hop-by-hop field, no ``Host``, no ``Proxy-*``, no ``X-EVE-*``, no
        ``Content-Length`` or ``Expect``.
    :ivar websocket: an upgrade to ``websocket`` is asked for (its ``Sec-WebSocket-*`` fields are in ``headers``).
    :ivar request_id: the client's X-Request-Id, else the trace id of traceparent, else None; cleaned, at most 128.
    :ivar trace_id: the trace id of a valid traceparent (32 hex), or None.
    """

    method: str
    scheme: str
    authority: Authority
    target: bytes
    headers: Headers
    websocket: bool = False
    request_id: str | None = None
    trace_id: str | None = None

    @property
    def is_connect(self) -> bool:
        """A tunnel is asked for."""
        return self.method == "CONNECT"
