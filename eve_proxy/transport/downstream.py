"""The application's side: one protocol per client connection, and the factory that accepts them.

This file owns the socket and the connection's state (``wire/machine.py``); it decides nothing. Requests are handed
to a *site* (``enforcement/``), which calls one of ``answer``, ``forward``, ``tunnel``, ``malformed`` and ``abort``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from eve_proxy.model.authority import Authority
from eve_proxy.model.decision import Mode, Permit
from eve_proxy.model.errors import Malformed
from eve_proxy.model.request import Request
from eve_proxy.transport.client_connection import DISCARDING, ClientConnection
from eve_proxy.transport.delivery import Delivery, Outcome, Stamp
from eve_proxy.transport.lingering import linger_out
from eve_proxy.transport.redirected import Arrival
from eve_proxy.transport.sending import backed_up, send, set_nodelay, when_drained
from eve_proxy.wire.client_hello import Seen
from eve_proxy.wire.events import Data, End, RequestEvent, RequestHead
from eve_proxy.wire.machine import EGRESS, Event, State
from eve_proxy.wire.request_reader import RequestReader
from eve_proxy.wire.serialize import CONTINUE

if TYPE_CHECKING:
    from eve_proxy.transport.factory import ProxyFactory

# What a client may send ahead while its request is being judged; then it is no longer read.
READ_AHEAD = 64 * 1024


@implementer(IHalfCloseableProtocol)
class Downstream(ClientConnection):
    """One client connection and its requests.

    :ivar destination: where the connection was going before the kernel redirected it to us; None for a client that
        speaks to a proxy.
    """

    def __init__(self, factory: ProxyFactory) -> None:
        super().__init__(factory, self._expired)
        self.destination: Authority | None = None
        self._head: RequestHead | None = None
        self._body_started = 0.0
        self._turns = 0
        self._heard = False
        self._from: tuple[str, int] = ("unix", 0)

    # -- what Twisted calls ------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Admit the connection, or answer that there are too many."""
        peer: Any = self.transport.getPeer()
        self.peer, self.peer_port = getattr(peer, "host", "unix"), getattr(peer, "port", 0)
        self._from = self.peer, self.peer_port
        set_nodelay(self.transport)
        admitted = self.factory.entered(self)
        self.destination = self.factory.original_destination(self.transport)
        self._watchdog.set(self.factory.limits.head)
        if self._leads_back():
            self.abort()
        elif not admitted:
            self.machine.fire(Event.OVERLOADED)
            self.pause_reading()
            self.factory.site.overloaded(self)
        elif self.destination is not None:
            self.peer = self.factory.local_name(self.peer)
            self._watched = Arrival(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.machine.state in DISCARDING:
            return
        if not self._heard:
            self._heard = True
            # Accepted before our other end heard that it is connected, as a rule on one machine; that end has been
            # noted by now, because it sends nothing before.
            if self._leads_back():
                self.abort()
                return
        if self._watched is not None:
            self._watched.received(data)
            return
        try:
            self._take(self._reader.feed(data))
        except Malformed as error:
            self.malformed(error)
            return
        if self.machine.state is State.IDLE:
            if self._reader.started:
                self.machine.fire(Event.HEAD_STARTED)
                self._watchdog.set(self.factory.limits.head)
        elif self._reader.buffered > READ_AHEAD and self.machine.state is not State.READING:
            self.pause_reading()

    def _leads_back(self) -> bool:
        """Whether our own upstream connection came back to us: a loop, whatever address led here."""
        here: Any = self.transport.getHost()
        listener = getattr(here, "host", "unix"), getattr(here, "port", 0)
        meant = None if self.destination is None else (self.destination.host, self.destination.port)
        own: bool = self.factory.dialler.is_own(self._from, listener, meant)
        return own

    def readConnectionLost(self) -> None:
        """The client has finished sending; it may still be waiting for its answer."""
        self._half_closed = True
        if self.machine.state is State.CLOSED:
            return
        if self.machine.fire(Event.INPUT_ENDED) in DISCARDING:
            self.transport.loseConnection()
        elif self._watched is not None:
            self._watched.input_ended()
        elif self.body is not None and not self.body.complete:
            self.body.interrupt()

    def writeConnectionLost(self) -> None:
        """Our own half-close went out."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Everything this connection held is let go."""
        self._watchdog.stop()
        judged = self.machine.state is State.JUDGING
        self.machine.fire(Event.PEER_GONE)
        if self.body is not None:
            self.body.interrupt()
            if not judged:  # else the judge holds it still, and the site lets go of it
                self.body.release()
        if self._delivery is not None:
            delivery, self._delivery = self._delivery, None
            delivery.client_gone()
        self.factory.left(self)

    # -- what an entry point calls -----------------------------------------------------------------------------

    def answer(self, data: bytes, *, keep: bool) -> None:
        """Send a complete answer of our own.

        :param keep: whether the connection may carry another request; a refusal never keeps it.
        """
        if self.gone:
            return
        if keep and self.may_continue:
            self.machine.fire(Event.ANSWERED)
            send(self.transport, data)
            self._next()
        else:
            self.machine.fire(Event.REFUSED if self.machine.state is State.JUDGING else Event.UPSTREAM_FAILED)
            self._sever(data)

    def malformed(self, error: Malformed) -> None:
        """Answer bytes that are no request, and sever."""
        if self.gone:
            return
        if self.machine.state in EGRESS:
            self.abort()  # an answer of ours inside upstream's would be response splitting
        else:
            self.machine.fire(Event.VIOLATION)
            if self.body is not None:
                self.body.fail(error)
            self._sever(self.factory.site.malformed(self, error))

    def broken(self, answer: bytes) -> None:
        """A defect of ours: answer while nothing has left, else reset."""
        if self.machine.state is State.JUDGING:
            self.answer(answer, keep=False)
        else:
            self.abort()

    def forward(self, permit: Permit, request: Request, body: Sequence[bytes], stamp: Stamp, outcome: Outcome) -> None:
        """Send the request upstream and the response back.

        :param stamp: the fields to put into the response head.
        """
        if self.gone:
            outcome.abandoned("the client went away before the decision")
            return
        assert self._head is not None
        self.machine.fire(Event.PERMIT_UPGRADE if permit.mode is Mode.UPGRADE else Event.PERMIT_FORWARD)
        self._watchdog.set(self.factory.limits.stall)
        self._delivery = delivery = Delivery(self, self._head, stamp, outcome)
        delivery.start(self.factory.dialler, permit, request, body)

    # -- a redirected connection -------------------------------------------------------------------------------

    def speaks_http(self, data: bytes) -> None:
        """It is HTTP; whoever names no host means the original destination."""
        assert self.destination is not None
        self._watched = None
        self._reader = RequestReader(default_authority=self.destination)
        self.dataReceived(data)

    def speaks(self, seen: Seen, held: bytes) -> None:
        """It is something else, of which these are the first bytes: no more is read before it is decided."""
        self.pause_reading()
        self._watchdog.clear()
        self.machine.fire(Event.HEAD_COMPLETE)
        self.factory.site.redirected(self, seen, held)

    # -- the body of the request that is being decided ---------------------------------------------------------

    def _take(self, events: Sequence[RequestEvent]) -> None:
        """Book a batch of wire events; the judge starts when all of the batch is booked."""
        head: RequestHead | None = None
        body = self.body
        for event in events:
            if isinstance(event, RequestHead):
                head = self._head = event
                body = self.body = self.factory.incoming_body(event.framing, self._invite)
            elif body is None:
                assert isinstance(event, End)
            elif isinstance(event, Data):
                body.add(event.data)
            else:
                body.finish()  # the watchdog goes on, and ``_expired`` finds nothing amiss
        if body is not None and not body.complete:
            now = self.factory.clock.seconds()
            if head is not None:
                self._body_started = now
            self._watchdog.set(self.factory.limits.body_wait(body.size, now - self._body_started))
        if head is not None:
            if self.machine.state is State.IDLE:
                self.machine.fire(Event.HEAD_STARTED)
            self.machine.fire(Event.HEAD_COMPLETE)
            self.factory.site.begin(self, head)

    def _invite(self) -> None:
        if not self.gone and self._head is not None and self._head.expect_continue:
            send(self.transport, CONTINUE)

    # -- the end of an exchange --------------------------------------------------------------------------------

    def response_started(self) -> None:
        """Upstream's head goes to the client now."""
        self.machine.fire(Event.RESPONSE_STARTED)

    def response_done(self, *, keep: bool) -> None:
        """Upstream's response is complete and written."""
        self._delivery = None
        if keep and self.may_continue:
            self.machine.fire(Event.RESPONSE_COMPLETE)
            self._next()
        else:
            self.machine.fire(Event.RESPONSE_LAST)
            self._sever(b"")

    def upstream_failed(self, answer: bytes | None) -> None:
        """Upstream failed: the 502, or None when half a response was already sent."""
        self._delivery = None
        if answer is None:
            # A reset, so that a response without Content-Length does not look complete.
            self.abort()
        else:
            self.answer(answer, keep=False)

    def progress(self) -> None:
        """Something moved: the stall clock starts again."""
        self._watchdog.set(self.factory.limits.stall)

    @property
    def may_continue(self) -> bool:
        """Whether the connection can carry another request after this one."""
        body, head, ending = self.body, self._head, self._half_closed or self.factory.draining
        return head is not None and head.keep_alive and not ending and (body is None or body.arrived)

    def _next(self) -> None:
        """Go on to the next request: in a loop, because a pipeline of health checks would exhaust the stack."""
        if self.body is not None:
            self.body.release()
            self.body = None
        self._head = None
        self._turns += 1
        if self._turns > 1:
            return
        while self._turns:
            if backed_up(self.transport):
                # A client that does not read its answers gets no further ones: they would pile up here.
                self._turns = 0
                self.pause_reading()
                self._watchdog.set(self.factory.limits.stall)
                when_drained(self.transport, self._go_on)
                return
            self._take_next()
            self._turns -= 1

    def _go_on(self) -> None:
        if not self.gone:
            self._next()

    def _take_next(self) -> None:
        self._watchdog.set(self.factory.limits.idle)
        try:
            events = self._reader.next_message()
            if events:
                self._take(events)
        except Malformed as error:
            self.malformed(error)
            return
        if self._reading_paused and self._reader.buffered <= READ_AHEAD:
            self._resume_reading()
        if self.machine.state is State.IDLE and self._reader.started:
            self.machine.fire(Event.HEAD_STARTED)
            self._watchdog.set(self.factory.limits.head)

    def _expired(self) -> None:
        state = self.machine.state
        if self._watched is not None and state is not State.IDLE and state not in DISCARDING:
            self._watched.expired()
        elif state is State.READING:
            self.malformed(Malformed("slow-head", "the request head took too long", status=408))
        elif state is State.JUDGING and self.body is not None and not self.body.complete:
            self.malformed(Malformed("slow-body", "the request body took too long", status=408))
        elif state is State.IDLE or state in DISCARDING:
            if state is State.IDLE:
                self.machine.fire(Event.TIMED_OUT)
            linger_out(self.transport)
        elif state is not State.JUDGING:
            # A client that has not read anything for long.
            self.abort()
