"""The relay for any pair of Twisted transports, TLS included: each side is the other's producer."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from eve_proxy.transport.handing_over import give_to
from eve_proxy.transport.relay_account import Ending, Relay, RelayAccount, Side
from eve_proxy.transport.sending import is_plain, send


class ProducerRelay(Relay):
    """See ``relay.relay``."""

    def __init__(self, downstream: Any, upstream: Any, account: RelayAccount) -> None:
        super().__init__(account)
        self._down = RelayEnd(Side.DOWNSTREAM, downstream, self._account)
        self._up = RelayEnd(Side.UPSTREAM, upstream, self._account)
        self._down.other, self._up.other = self._up, self._down

    def start(self, *, to_upstream: bytes, to_downstream: bytes) -> None:
        """Take the transports over, send what waits, read."""
        self._down.take_over()
        self._up.take_over()
        self._up.deliver(to_upstream)
        self._down.deliver(to_downstream)
        self._down.start()
        self._up.start()

    def _break(self, ending: Ending, by: Side) -> None:
        self._account.ends(ending, by)
        self._down.reset()
        self._up.reset()


@implementer(IHalfCloseableProtocol, IPushProducer)
class RelayEnd(Protocol):
    """One side: what it reads the other side sends.

    :ivar finished: this side sends no more.
    :ivar lost: its connection is closed.
    """

    transport: Any
    other: RelayEnd

    def __init__(self, side: Side, transport: Any, account: RelayAccount) -> None:
        self.side = side
        self.transport = transport
        self.finished = self.lost = self.held = self._fed = False
        self._account = account

    def take_over(self) -> None:
        """Become the transport's protocol, and the producer of what the other side sends."""
        transport = self.transport
        if getattr(transport, "disconnected", False):
            # It closed before anybody could tell us.
            self.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
            return
        give_to(self, transport)
        self.other.feed_from(self)

    def feed_from(self, producer: RelayEnd) -> None:
        """Let this side's transport hold up the other side."""
        self._fed = True
        self.transport.registerProducer(producer, True)

    def start(self) -> None:
        """Read, unless what was delivered already fills the other side."""
        if not self.held:
            self.resumeProducing()

    def deliver(self, data: bytes) -> None:
        """Send what the other side read."""
        if data and not self.lost:
            self._account.moved(self.side, len(data))
            send(self.transport, data)

    def dataReceived(self, data: bytes) -> None:
        """Hand over."""
        self.other.deliver(data)

    def readConnectionLost(self) -> None:
        """This side has finished sending: so does the other, when it has sent what it got."""
        self.finished = True
        other = self.other
        if other.lost:
            return
        other.release_producer()
        lose_write = getattr(other.transport, "loseWriteConnection", None)
        # TLS has no half-close to pass on.
        if other.finished or lose_write is None or not is_plain(other.transport):
            self._account.ends(Ending.CLOSED, self.side)
            self.close()
            other.close()
        else:
            lose_write()

    def writeConnectionLost(self) -> None:
        """Our half-close went out; the other direction goes on."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This side is gone: what it sent still reaches the other; what was for it has nowhere to go."""
        if self.lost:
            return
        self.lost = True
        if self._account.gone(self.side, reason):
            self.other.close()
        else:
            self.other.reset()

    def pauseProducing(self) -> None:
        """The other side cannot send what it has: read no more."""
        self.held = True
        if not self.lost:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The other side has room again."""
        self.held = False
        if not self.finished and not self.lost:
            self._account.moved(self.other.side, 0)
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The other side is gone; its connectionLost decides what happens here."""

    def release_producer(self) -> None:
        """Nothing more comes for this side: Twisted forgets a close that is asked for while a producer is paused."""
        if self._fed:
            self._fed = False
            self.transport.unregisterProducer()

    def close(self) -> None:
        """Send what is queued, then close."""
        if not self.lost:
            self.release_producer()
            self.transport.loseConnection()

    def reset(self) -> None:
        """Close at once, with a reset."""
        if not self.lost:
            self.transport.abortConnection()
