"""One upstream response on its way to the client: framing chosen anew, back-pressure in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from typing import Protocol as Structural

from eve_proxy.model.decision import Mode, Permit
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.transport.relay_account import Ending, Side
from eve_proxy.transport.sending import send, send_soon
from eve_proxy.wire.events import FramingKind, RequestHead, ResponseHead
from eve_proxy.wire.framing import relay_framing
from eve_proxy.wire.machine import Event
from eve_proxy.wire.serialize import (
    LAST_CHUNK,
    absolute_head,
    chunk,
    informational_head,
    last_chunk,
    request_head,
    response_head,
    switching_protocols_head,
    websocket_head,
)
from eve_proxy.wire.websocket import accepts

if TYPE_CHECKING:
    from eve_proxy.transport.downstream import Downstream
    from eve_proxy.transport.way_out import WayOut

Stamp = Sequence[tuple[bytes, bytes]]


class Outcome(Structural):
    """What an entry point wants to hear about an exchange that it let go.

    Exactly one of ``answered``, ``failed`` and ``abandoned`` is called; ``ended`` follows ``answered``, once.
    """

    def answered(self, status: int) -> None:
        """The client gets this status from upstream."""

    def failed(self, detail: str) -> bytes:
        """Upstream failed before it answered; returns the 502 for the client."""

    def abandoned(self, detail: str) -> None:
        """The client was gone before there was an answer."""

    def ended(self, ending: Ending, by: Side, *, to_downstream: int, to_upstream: int | None = None) -> None:
        """What was answered has come to its end.

        :param to_downstream: bytes of content for the client; of a tunnel, bytes from the origin.
        :param to_upstream: of a tunnel, bytes from the client; None when the request's body was all.
        """


class Delivery:
    """Receives upstream's events (``transport.upstream.Receiver``) and writes the client's bytes.

    :param stamp: fields of ours for the response head (the certificate).
    """

    def __init__(self, client: Downstream, head: RequestHead, stamp: Stamp, outcome: Outcome) -> None:
        self._client = client
        self._head = head
        self._stamp = stamp
        self._outcome: Outcome | None = outcome
        self._follower = outcome
        self._size = 0
        self._handle: Any = None
        self._pending: list[bytes] = []
        self._framing = FramingKind.NONE
        self._keep = False
        self._registered = False
        self._finished = False

    def start(self, dialler: WayOut, permit: Permit, request: Request, body: Sequence[bytes]) -> None:
        """Dial and send."""
        method = self._head.request.method
        if permit.mode is Mode.UPGRADE:
            head = websocket_head(request)
        else:
            has_body = body or self._head.framing.kind is not FramingKind.NONE
            written = absolute_head if permit.mode is Mode.RELAYED else request_head
            head = written(request, framing_length=sum(map(len, body)) if has_body else None)
        handle = dialler.exchange(permit, head, body, method=method, receiver=self)
        if not self._finished:
            self._handle = handle

    def client_gone(self) -> None:
        """Nobody reads any more: stop upstream."""
        self._finished = True
        if self._outcome is not None:
            outcome, self._outcome = self._outcome, None
            outcome.abandoned("the client went away before upstream answered")
        else:
            self._follower.ended(Ending.ABANDONED, Side.DOWNSTREAM, to_downstream=self._size)
        if self._handle is not None:
            handle, self._handle = self._handle, None
            handle.abort()

    # -- upstream's events -------------------------------------------------------------------------------------

    def informational(self, head: ResponseHead) -> None:
        """A 1xx; 100 was ours to send, and HTTP/1.0 knows none (RFC 9110 section 15.2)."""
        if head.status != 100 and self._head.version != "1.0" and not self._finished:
            self._pending.append(informational_head(head.status, head.reason, head.headers))

    def responseStarted(self, head: ResponseHead) -> None:
        """Hold the head for this client until the batch ends."""
        if not self._finished:
            self._pending.append(self._begin(head))

    def responseWhole(self, head: ResponseHead, data: bytes) -> None:
        """Everything in one write. What was read before it, a 1xx perhaps, is written already."""
        client = self._client
        self._release()
        if self._finished:
            return
        self._finished = True
        answer = self._begin(head)
        if self._framing is FramingKind.CHUNKED:
            answer += chunk(data) + LAST_CHUNK
        elif self._framing is not FramingKind.NONE:
            answer += data
        # A connection that ends here is closed behind its answer, which must not wait for that.
        deliver = send_soon if self._keep else send
        deliver(client.transport, answer)
        client.response_done(keep=self._keep)
        self._follower.ended(Ending.COMPLETE, Side.UPSTREAM, to_downstream=len(data))

    def _begin(self, head: ResponseHead) -> bytes:
        """The head for this client; chooses how the body is framed."""
        framing = relay_framing(head.framing, head.content_length, self._head.version)
        self._framing = framing.kind
        # While the daemon stops, the client must know that this answer is the last one (RFC 9112 section 9.6).
        last = framing.kind is FramingKind.CLOSE or self._client.factory.draining
        self._keep = self._head.keep_alive and not last
        self._client.response_started()
        self._announce(head.status)
        return response_head(
            head.status,
            head.reason,
            head.headers,
            framing=framing,
            extra=self._stamp,
            keep_alive=self._keep,
            version=self._head.version,
        )

    def responseData(self, data: bytes) -> None:
        """A piece of the body."""
        if self._finished:
            return
        self._size += len(data)
        if self._framing is FramingKind.CHUNKED:
            self._pending.append(chunk(data))
        elif self._framing is not FramingKind.NONE:
            self._pending.append(data)

    def responseEnded(self, trailers: Headers) -> None:
        """The body is complete."""
        if self._framing is FramingKind.CHUNKED:
            wanted = trailers if self._head.accepts_trailers else Headers()
            self._pending.append(last_chunk(wanted))
        self._release()
        self._write()
        if not self._finished:
            self._finished = True
            self._client.response_done(keep=self._keep)
            self._follower.ended(Ending.COMPLETE, Side.UPSTREAM, to_downstream=self._size)

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        """Upstream broke; a response that was begun must not look complete."""
        self._release()
        if self._finished:
            return
        self._finished = True
        if started:
            self._pending.clear()
            self._client.upstream_failed(None)
            self._follower.ended(Ending.FAILED, Side.UPSTREAM, to_downstream=self._size)
        else:
            self._client.upstream_failed(self._failure(str(error)))

    def upgraded(self, head: ResponseHead, transport: Any, rest: bytes) -> None:
        """A matching 101: this exchange becomes a tunnel."""
        self._release()
        if self._finished:
            transport.abortConnection()
            return
        self._finished = True
        request = self._head.request
        if not accepts(request.headers, head.headers):
            transport.abortConnection()
            self._client.upstream_failed(self._failure("the WebSocket handshake was not answered to its key"))
            return
        self._announce(101)
        switching = switching_protocols_head(head.headers, extra=self._stamp)
        send(self._client.transport, switching)
        self._client.relay(Event.UPGRADED, transport, self._follower, to_downstream=rest)

    def flush(self) -> None:
        """The end of a batch of events: one write for all of it."""
        if not self._registered and self._handle is not None and self._pending and not self._client.gone:
            # The response goes on: from now on the client's pace is upstream's pace.
            self._registered = True
            self._client.transport.registerProducer(self._handle, True)
        self._write()

    def _write(self) -> None:
        if not self._pending:
            return
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending = []
        if self._client.gone:
            return
        send(self._client.transport, data)
        self._client.progress()

    # -- parts -------------------------------------------------------------------------------------------------

    def _failure(self, detail: str) -> bytes | None:
        outcome, self._outcome = self._outcome, None
        return None if outcome is None else outcome.failed(detail)

    def _announce(self, status: int) -> None:
        if self._outcome is not None:
            outcome, self._outcome = self._outcome, None
            outcome.answered(status)

    def _release(self) -> None:
        self._handle = None
        if self._registered:
            self._registered = False
            self._client.transport.unregisterProducer()
