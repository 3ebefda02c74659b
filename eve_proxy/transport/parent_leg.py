"""One way through the parent proxy, from the lookup of its name to the connection that leads on.

To whoever races for a connection (``racing.py``) it is an attempt like any other: it becomes a connected transport, or
it fails with a text that says that it was the parent proxy that failed. There is no other way than through it: nothing
here, and nobody who asks, dials the destination itself when it fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from eve_proxy.model.errors import Malformed, UpstreamFailed
from eve_proxy.transport.handing_over import give_to
from eve_proxy.transport.racing import NoOtherWay, Race
from eve_proxy.transport.sending import send, set_nodelay
from eve_proxy.transport.tls_fault import tls_fault
from eve_proxy.transport.tunnel_end import TunnelEnd
from eve_proxy.wire.connect_answer import ConnectAnswer
from eve_proxy.wire.events import ResponseHead

if TYPE_CHECKING:
    from eve_proxy.transport.parent import Parent

_UNAUTHENTICATED = 407


class Crossing:
    """What ``racing.Dial`` gives back: an attempt under way.

    :param head: our CONNECT; empty to be connected to the proxy itself.
    :param attempt: a client factory: builds the protocol that gets the connection, and hears of its failure and end.
    :param timeout: seconds for all of it.
    """

    def __init__(self, parent: Parent, head: bytes, attempt: Any, timeout: float) -> None:
        self._parent = parent
        self._head = head
        self._attempt = attempt
        self._timeout = round(timeout, 2)  # for messages; the timer is exact
        self._answer = ConnectAnswer()
        self._looking: Deferred[Any] | None = None
        self._race: Race[Any] | None = None
        self._transport: Any = None
        self._through = self._over = False
        self._timer = parent.clock.callLater(timeout, self._expired)

    @classmethod
    def begin(cls, parent: Parent, head: bytes, attempt: Any, timeout: float) -> Crossing:
        """Look the proxy up and dial it."""
        crossing = cls(parent, head, attempt, timeout)
        crossing._looking = looking = parent.look_up()
        looking.addCallbacks(crossing._found, crossing._not_found)
        return crossing

    def disconnect(self) -> None:
        """Nobody wants it any more (``IConnector``)."""
        self._end()
        if self._looking is not None:
            self._looking.cancel()
        if self._race is not None:
            self._race.cancel()
        if self._transport is not None and not self._through:
            self._transport.abortConnection()

    # -- to the proxy ------------------------------------------------------------------------------------------

    def _found(self, addresses: Any) -> None:
        if self._over:
            return
        self._race = Race(
            addresses,
            self._parent.dial,
            clock=self._parent.clock,
            build=lambda _: ParentLeg(self),
            failed=lambda error: self._fail(str(error), final=True),
            closed=self._closed,
            timeout=self._timeout,
        )
        self._race.start()

    def _not_found(self, failure: Failure) -> None:
        # Its text says which name.
        self._fail(failure.getErrorMessage(), final=True)

    def connected(self, transport: Any) -> None:
        """The proxy is there; with TLS on top, nothing is sent before that is verified."""
        self._transport = transport
        set_nodelay(transport)
        if not self._parent.ends.enter(self, transport):
            self._fail(f"{self._parent.variable} leads to this proxy itself", final=True)
        elif self._head:
            send(transport, self._head)
        else:
            self._go_through(b"")

    # -- through it --------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """A part of its answer."""
        try:
            head = self._answer.feed(data)
        except Malformed as fault:
            self._fail(f"its answer to CONNECT is malformed: {fault.detail}", final=True)
            return
        if head is None:
            return
        if 200 <= head.status < 300:
            self._go_through(self._answer.rest)
        else:
            self._refused(head)

    def _refused(self, head: ResponseHead) -> None:
        # Neither its words nor its page go any further: they are not the origin's.
        if head.status == _UNAUTHENTICATED:
            # Asked again with the next address, it might lock the account.
            self._fail(self._parent.refusal_of_credentials(), final=True)
        else:
            self._fail(f"refused CONNECT with status {head.status}")

    def lost(self, reason: Failure) -> None:
        """It closed before it answered."""
        self._transport = None
        fault = tls_fault(reason.value)
        self._fail(fault or "closed the connection before it answered CONNECT", final=fault is not None)

    def _go_through(self, rest: bytes) -> None:
        self._end()
        self._through = True
        transport = self._transport
        next_one = self._attempt.buildProtocol(transport.getPeer())
        give_to(next_one, transport)
        if rest and isinstance(next_one, TunnelEnd):
            # It gives the transport away when it is connected.
            next_one.dataReceived(rest)
            rest = b""
        next_one.makeConnection(transport)
        if rest:
            next_one.dataReceived(rest)

    # -- the end -----------------------------------------------------------------------------------------------

    def _expired(self) -> None:
        self._fail(f"timed out after {self._timeout:g} s")

    def _fail(self, detail: str, *, final: bool = False) -> None:
        """Tell, once.

        :param final: another address behind the proxy would fare no better.
        """
        if self._over:
            return
        self.disconnect()
        kind = NoOtherWay if final else UpstreamFailed
        error = kind(f"parent proxy {self._parent.name}: {detail}")
        self._attempt.clientConnectionFailed(None, Failure(error))  # type: ignore[no-untyped-call]

    def _end(self) -> None:
        self._over = True
        if self._timer.active():
            self._timer.cancel()

    def _closed(self) -> None:
        self._parent.ends.leave(self)
        if self._through:
            self._attempt.clientConnectionLost(None, Failure(ConnectionDone()))  # type: ignore[no-untyped-call]


class ParentLeg(Protocol):
    """The connection to the proxy, until it is through."""

    transport: Any

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing

    def connectionMade(self) -> None:
        """Connected."""
        self._crossing.connected(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Its answer."""
        self._crossing.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Closed."""
        self._crossing.lost(reason)
