"""The site behind the client connections: sends each request to its entry point."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from eve_proxy.enforcement import answers, connect, forward, transparent
from eve_proxy.enforcement.admin import Admin, is_public
from eve_proxy.enforcement.gate import Gate
from eve_proxy.governance.driving import Drive
from eve_proxy.model.errors import Malformed
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.client_hello import Seen
from eve_proxy.wire.events import Form, RequestHead


class Router:
    """``transport.factory.Site`` of the forward proxy."""

    _log = Logger()

    def __init__(self, gate: Gate, admin: Admin) -> None:
        self._gate = gate
        self._admin = admin
        self.rejected = 0

    def begin(self, client: Downstream, head: RequestHead) -> None:
        """A request's head is there."""
        local = head.form is Form.ORIGIN or head.form is Form.ASTERISK
        last_hop = head.max_forwards == 0 and head.request.method in ("OPTIONS", "TRACE")
        if client.destination is not None:
            self._drive(client, transparent.enter(self._gate, client, client.destination, head))
        elif not (local or last_hop):
            enter = connect.enter if head.form is Form.AUTHORITY else forward.enter
            self._drive(client, enter(self._gate, client, head))
        elif not (is_public(head) or self._gate.admission.clients.admits(client.peer)):
            self._drive(client, self._gate.refuse_stranger(client, head.request))
        elif local:
            self._drive(client, self._admin.enter(client, head))
        else:
            client.answer(_last_hop(head), keep=False)

    def redirected(self, client: Downstream, seen: Seen, held: bytes) -> None:
        """A redirected connection begins with something else than HTTP."""
        assert client.destination is not None
        self._drive(client, transparent.enter_tunnel(self._gate, client, client.destination, seen, held))

    def malformed(self, client: Downstream, error: Malformed) -> bytes:
        """The answer to bytes that are no request: counted and logged, never certified."""
        self.rejected += 1
        self._gate.log.rejected(client.peer, error.status, error.fault)
        return answers.text(error.status, error.detail)

    def overloaded(self, client: Downstream) -> None:
        """A connection is one too many: nothing of it is read."""
        self._drive(client, self._gate.turn_away(client))

    def _drive(self, client: Downstream, answering: Coroutine[Any, Any, None]) -> None:
        Drive(answering, partial(_served, client), partial(self._defect, client))

    def _defect(self, client: Downstream, failure: Failure) -> None:
        # An exception of our own after the decision: nothing may follow from it but a closed connection.
        self._log.failure("defect while enforcing a decision", failure=failure)
        client.broken(answers.text(503, "internal error; nothing was forwarded"))
        _served(client, None)


def _served(client: Downstream, _: None) -> None:
    """The entry point has answered, or passed the request on; a body whose client left meanwhile is held no longer."""
    if client.gone and client.body is not None:
        client.body.release()


def _last_hop(head: RequestHead) -> bytes:
    # RFC 9110 section 7.6.2: with Max-Forwards 0 we are the recipient. TRACE is not reflected: it would echo secrets.
    if head.request.method == "TRACE":
        return answers.text(405, "TRACE is not answered here")
    return answers.render(200, b"text/plain; charset=utf-8", b"", [(b"Allow", b"GET, HEAD, OPTIONS, CONNECT")])
