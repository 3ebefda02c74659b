"""The origin's side: HTTP/1.1 as a client, one exchange at a time on one connection.

It sends bytes that were serialised elsewhere and turns the answer into calls on a ``Receiver``. It neither dials nor
decides; who may be reached was settled by a permit before a connection of this kind exists (``dialler.py``), and the
governance client uses the same protocol on connections of its own (``governance_http.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from typing import Protocol as Structural

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.body_feed import FEED_ABOVE, BodyFeed
from eve_proxy.transport.sending import JOIN_BELOW, is_plain, send, send_soon, set_nodelay, unsent
from eve_proxy.transport.watchdog import Watchdog
from eve_proxy.wire.events import END, Data, End, Informational, ResponseEvent, ResponseHead
from eve_proxy.wire.response_reader import ResponseReader

# Events of a response that is complete in one read, and has no trailers: a head, most often a body, and its end.
_WHOLE: Final = 3


class Unanswered(UpstreamFailed):
    """The connection was closed before the first byte of an answer: a reused one had probably been idle too long.

    Its cause is what Twisted said: a TLS handshake that failed ends here too.
    """


class Unintelligible(UpstreamFailed):
    """What came back is not acceptable HTTP."""


class Receiver(Structural):
    """Whoever wants the answer.

    Exactly one of ``responseWhole``, ``responseEnded``, ``responseFailed`` and ``upgraded`` ends it.
    """

    def informational(self, head: ResponseHead) -> None:
        """An interim response (1xx but 101)."""

    def responseStarted(self, head: ResponseHead) -> None:
        """The final response's head."""

    def responseWhole(self, head: ResponseHead, data: bytes) -> None:
        """A final response that is complete in one read: one call instead of all that it would take in parts."""

    def responseData(self, data: bytes) -> None:
        """A piece of its body, framing removed."""

    def responseEnded(self, trailers: Headers) -> None:
        """The response is complete."""

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        """There will be no (more) response.

        :param started: ``responseStarted`` was called: the body that was delivered is not complete.
        """

    def upgraded(self, head: ResponseHead, transport: ITransport, rest: bytes) -> None:
        """A 101 that was asked for: the paused transport belongs to the receiver now.

        :param rest: what the peer already sent in the new protocol.
        """

    def flush(self) -> None:
        """The end of a batch of calls that came from one read; more may follow."""


class UpstreamConnection(Protocol):
    """One connection to an origin, used for one exchange after another.

    :param authority: what it was opened for; with ``address`` the pool's key.
    :param address: where it leads; None for a Unix socket, and where a parent proxy chose it.
    :param timeout: seconds from sending until the response head is there.
    :param stall: seconds without a byte inside a response, while the receiver is not paused.
    :param made: called once, when it is connected.
    :param released: called when an exchange ended and another may follow.
    :param lost: called once, when it is closed, unless its transport was given away.
    :ivar idle_since: when it was last released, on the clock that was passed in; kept by the pool.
    """

    # Twisted's annotation is narrower than its transports.
    transport: Any
    idle_since = 0.0

    def __init__(
        self,
        authority: Authority | None,
        address: IPAddress | None,
        *,
        clock: IReactorTime,
        timeout: float,
        stall: float,
        made: Callable[[UpstreamConnection], object],
        released: Callable[[UpstreamConnection], object],
        lost: Callable[[UpstreamConnection], object],
    ) -> None:
        self.authority = authority
        self.address = address
        self._timeout = timeout
        self._stall = stall
        self._made = made
        self._released = released
        self._lost = lost
        self._watchdog = Watchdog(clock, self._expired)
        self._receiver: Receiver | None = None
        self._reader = ResponseReader("GET")
        self._feed: BodyFeed | None = None
        self._answered = self._started = self._paused = False
        self._keep = True
        self._open = False

    # -- what its owner calls ----------------------------------------------------------------------------------

    def send(
        self,
        head: bytes,
        body: Sequence[bytes],
        *,
        method: str,
        receiver: Receiver,
        websocket: bool = False,
    ) -> None:
        """Begin an exchange; the connection must be idle.

        :param head: the serialised request head; ``body``: its bytes with any framing applied.
        :param websocket: an upgrade is asked for, so that a 101 is an acceptable answer.
        """
        self._receiver = receiver
        self._reader = ResponseReader(method, websocket=websocket)
        self._answered = self._started = self._paused = False
        if _binds_the_connection(head):
            self._keep = False
        self._watchdog.set(self._timeout)
        if not body:
            send_soon(self.transport, head)
            return
        size = sum(map(len, body))
        if size <= JOIN_BELOW:
            send_soon(self.transport, b"".join((head, *body)))
        elif size <= FEED_ABOVE or not is_plain(self.transport):
            send(self.transport, (head, *body))
        else:
            send(self.transport, head)
            self._feed = BodyFeed(self.transport, body, progress=self._sending, finished=self._sent)
            self._feed.start()

    def pause(self) -> None:
        """Read no more of the response; the kernel's window makes the origin wait."""
        if not self._paused:
            self._paused = True
            self._watchdog.clear()
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._watchdog.set(self._stall if self._started else self._timeout)
            self.transport.resumeProducing()

    def abort(self) -> None:
        """Forget the exchange and reset the connection; the receiver hears nothing more."""
        self._receiver = None
        self._drop()

    def interrupt(self, error: UpstreamFailed) -> None:
        """End the exchange for a reason of ours; its receiver is told."""
        self._fail(error)

    def close(self) -> None:
        """Close an idle connection in an orderly way."""
        self._keep = False
        self.transport.loseConnection()

    # -- what Twisted calls ------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Ready for the first exchange."""
        self._open = True
        set_nodelay(self.transport)
        self._made(self)

    def dataReceived(self, data: bytes) -> None:
        """A part of the response."""
        receiver = self._receiver
        if receiver is None:
            # Bytes that nobody asked for would be taken for the next exchange's answer.
            self._drop()
            return
        if self._started and not self._paused:
            self._watchdog.set(self._stall)
        try:
            events = self._reader.feed(data)
        except UpstreamFailed as error:
            self._fail(Unintelligible(str(error)))
            return
        if len(events) <= _WHOLE and events and events[-1] is END:
            first = events[0]
            if isinstance(first, ResponseHead):
                self._whole(receiver, first, events)
                return
        self._answered = True
        self._deliver(receiver, events)
        if self._receiver is receiver:
            receiver.flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of a close-delimited response, or of the connection."""
        self._watchdog.stop()
        self._open = self._keep = False
        receiver = self._receiver
        if receiver is not None:
            if not self._answered:
                error = Unanswered("the connection was closed before an answer")
                error.__cause__ = reason.value
                self._fail(error)
            elif not isinstance(reason.value, ConnectionDone):
                # A reset is never the end of a close-delimited body: that would be a silent truncation.
                self._fail(UpstreamFailed("the connection was lost in the middle of the response"))
            else:
                self._finish_at_eof(receiver)
        self._lost(self)

    # -- parts -------------------------------------------------------------------------------------------------

    def _deliver(self, receiver: Receiver, events: Sequence[ResponseEvent]) -> None:
        for event in events:
            if isinstance(event, Data):
                receiver.responseData(event.data)
            elif isinstance(event, ResponseHead):
                if event.upgrade is not None:
                    self._hand_over(receiver, event)
                    return
                self._started = True
                self._keep = self._keep and event.keep_alive and not event.connection_auth
                self._watchdog.set(self._stall)
                receiver.responseStarted(event)
            elif isinstance(event, End):
                self._complete(receiver, event.trailers)
            elif isinstance(event, Informational):
                # Each extends the wait; the reader bounds their number.
                self._watchdog.set(self._timeout)
                receiver.informational(event.head)
            if self._receiver is not receiver:
                # The receiver gave up inside the call.
                return

    def _whole(self, receiver: Receiver, head: ResponseHead, events: Sequence[ResponseEvent]) -> None:
        """The usual response, all of it in one read: the connection is free before anybody looks at it."""
        body = events[1]
        self._keep = self._keep and head.keep_alive and not head.connection_auth
        self._part()
        receiver.responseWhole(head, body.data if isinstance(body, Data) else b"")

    def _complete(self, receiver: Receiver, trailers: Headers) -> None:
        self._part()
        receiver.responseEnded(trailers)

    def _part(self) -> None:
        """The exchange is over: be ready for another, or close."""
        self._receiver = None
        self._watchdog.clear()
        if self._feed is not None or not self._keep or self._reader.surplus or unsent(self.transport):
            # An answer before the request was all sent leaves the framing of that direction open.
            self._drop()
        else:
            if self._paused:
                # An idle connection is read, so that its end is noticed before it is used again.
                self._paused = False
                self.transport.resumeProducing()
            self._released(self)

    def _hand_over(self, receiver: Receiver, head: ResponseHead) -> None:
        self._receiver = None
        self._watchdog.stop()
        self.transport.pauseProducing()
        rest = self._reader.take_rest()
        self._lost(self)
        receiver.upgraded(head, self.transport, rest)

    def _finish_at_eof(self, receiver: Receiver) -> None:
        try:
            events = self._reader.eof()
        except UpstreamFailed as error:
            self._fail(UpstreamFailed(str(error)))
        else:
            self._deliver(receiver, events)
            if self._receiver is receiver:
                self._fail(UpstreamFailed("the connection was closed in the middle of the response"))

    def _fail(self, error: UpstreamFailed) -> None:
        receiver, self._receiver = self._receiver, None
        self._drop()
        if receiver is not None:
            receiver.responseFailed(error, self._started)

    def _drop(self) -> None:
        """Nothing on this connection is worth flushing: what was asked has been answered, or never will be."""
        self._keep = False
        self._watchdog.clear()
        if self._feed is not None:
            feed, self._feed = self._feed, None
            feed.stop()
        if self._open:
            self.transport.abortConnection()

    def _sending(self) -> None:
        if not self._started and not self._paused:
            self._watchdog.set(self._timeout)

    def _sent(self) -> None:
        self._feed = None

    def _expired(self) -> None:
        if self._receiver is None:
            return
        if self._started:
            self._fail(UpstreamFailed(f"the response stalled for {self._stall:g} s"))
        else:
            self._fail(UpstreamFailed(f"timed out after {self._timeout:g} s"))


def _binds_the_connection(head: bytes) -> bool:
    """Whether a request authenticates its connection rather than itself (RFC 4559 section 6).

    ``head`` is our own serialisation, so a field is ``name: value`` at the start of a line.
    """
    lower = head.lower()
    return b"\nauthorization: n" in lower and (
        b"\nauthorization: ntlm" in lower or b"\nauthorization: negotiate" in lower
    )
