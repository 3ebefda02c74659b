"""One permitted exchange on its way: waits for a connection, survives a dead one once, stops when told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.upstream import Receiver, Unanswered, UpstreamConnection
from eve_proxy.wire.events import ResponseHead


@implementer(IPushProducer)
class OutgoingExchange:
    """The handle that ``Dialler.exchange`` gives out: a producer of the response, for the client's transport.

    After the exchange has ended every method does nothing, so a late call cannot touch the connection's next user.

    :param redial: asks for a fresh connection; called at most once, when a reused one turns out to be dead.
    :param retriable: whether sending twice does no harm (RFC 9110 section 9.2.2).
    """

    __slots__ = (
        "_body",
        "_cancel",
        "_connection",
        "_head",
        "_method",
        "_paused",
        "_receiver",
        "_redial",
        "_retriable",
        "_websocket",
    )

    def __init__(
        self,
        head: bytes,
        body: Sequence[bytes],
        *,
        method: str,
        websocket: bool,
        receiver: Receiver,
        redial: Callable[[OutgoingExchange], object],
        retriable: bool,
    ) -> None:
        self._head = head
        self._body = body
        self._method = method
        self._websocket = websocket
        self._receiver: Receiver | None = receiver
        self._redial = redial
        self._retriable = retriable
        self._connection: UpstreamConnection | None = None
        self._cancel: Callable[[], object] | None = None
        self._paused = False

    # -- for the dialler ---------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Nobody waits for it any more."""
        return self._receiver is None

    def use(self, connection: UpstreamConnection) -> None:
        """Go out on a connection from the pool."""
        self._connection = connection
        connection.send(self._head, self._body, method=self._method, websocket=self._websocket, receiver=self)

    def connecting(self, cancel: Callable[[], object]) -> None:
        """A connection is being made; ``cancel`` stops that."""
        self._cancel = cancel

    def connected(self, connection: UpstreamConnection) -> None:
        """Go out on a fresh connection."""
        self._cancel = None
        self._retriable = False
        self.use(connection)
        if self._paused:
            connection.pause()

    def fail(self, error: UpstreamFailed) -> None:
        """There is no connection to be had."""
        self.responseFailed(error, started=False)

    # -- for whoever holds the handle --------------------------------------------------------------------------

    def abort(self) -> None:
        """Nobody wants the answer: stop connecting, or reset the connection. The receiver hears nothing more."""
        connection, cancel = self._connection, self._cancel
        self._end()
        if cancel is not None:
            cancel()
        if connection is not None:
            connection.abort()

    def pauseProducing(self) -> None:
        """The client does not read: stop reading from upstream."""
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resumeProducing(self) -> None:
        """The client reads again."""
        self._paused = False
        if self._connection is not None:
            self._connection.resume()

    def stopProducing(self) -> None:
        """The client's connection is gone."""
        self.abort()

    # -- a Receiver towards the connection ---------------------------------------------------------------------

    def informational(self, head: ResponseHead) -> None:
        """Passed on."""
        if self._receiver is not None:
            self._receiver.informational(head)

    def responseStarted(self, head: ResponseHead) -> None:
        """Passed on."""
        if self._receiver is not None:
            self._receiver.responseStarted(head)

    def responseWhole(self, head: ResponseHead, data: bytes) -> None:
        """Passed on; the connection may serve somebody else already."""
        receiver, self._receiver = self._receiver, None
        self._connection = None
        self._body = ()
        if receiver is not None:
            receiver.responseWhole(head, data)

    def responseData(self, data: bytes) -> None:
        """Passed on."""
        if self._receiver is not None:
            self._receiver.responseData(data)

    def flush(self) -> None:
        """Passed on."""
        if self._receiver is not None:
            self._receiver.flush()

    def responseEnded(self, trailers: Headers) -> None:
        """Passed on; the connection may serve somebody else already."""
        receiver = self._end()
        if receiver is not None:
            receiver.responseEnded(trailers)

    def upgraded(self, head: ResponseHead, transport: ITransport, rest: bytes) -> None:
        """Passed on."""
        receiver = self._end()
        if receiver is not None:
            receiver.upgraded(head, transport, rest)

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        """Passed on, unless a second attempt is harmless and could help."""
        self._connection = None
        if self._retriable and isinstance(error, Unanswered):
            self._retriable = False
            self._redial(self)
            return
        receiver = self._end()
        if receiver is not None:
            receiver.responseFailed(error, started)

    def _end(self) -> Receiver | None:
        receiver, self._receiver = self._receiver, None
        self._connection = self._cancel = None
        self._body = ()
        return receiver
