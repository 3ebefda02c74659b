"""The relay for two plain sockets: the kernel moves the bytes, this process never sees them.

Twisted keeps owning both connections: they are closed through it, and it tells everyone who waits for their end. Only
their place in the reactor is taken, by a descriptor of ours on the same file descriptor, from ``start`` until then.

One direction is one ``Flow``: bytes go from the source into a borrowed pipe and from there into the sink. A source is
read only while its flow is empty, so that a flow holds one pipe's worth at most, and "would block" always means that
the source has nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from socket import SHUT_WR, SO_ERROR, SOL_SOCKET
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    ILoggingContext,
    IReadWriteDescriptor,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from eve_proxy.transport.pipes import Pipe, PipeShelf
from eve_proxy.transport.relay_account import Ending, Relay, RelayAccount, Side
from eve_proxy.transport.sending import can_send_now

_MOVE: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
# What is copied when every pipe is lent out.
_COPY: Final = 64 * 1024
# Pipes belong to the process as its descriptors do; relays come and go.
PIPES: Final = PipeShelf()


def can_splice(transport: Any) -> bool:
    """Whether ``transport`` is a plain, quiet socket on an epoll reactor."""
    return (
        isinstance(transport, Connection)
        and transport.producer is None
        and can_send_now(transport)
        and isinstance(transport.reactor, EPollReactor)
    )


class SpliceRelay(Relay):
    """See ``relay.relay``; both transports satisfy ``can_splice``."""

    def __init__(self, downstream: Any, upstream: Any, account: RelayAccount) -> None:
        super().__init__(account)
        self._down = End(Side.DOWNSTREAM, downstream, self)
        self._up = End(Side.UPSTREAM, upstream, self)
        self._flows = (Flow(self._down, self._up, self._account), Flow(self._up, self._down, self._account))

    def start(self, *, to_upstream: bytes, to_downstream: bytes) -> None:
        """Take the transports' places in the reactor, send what waits, read."""
        self._down.take_over()
        self._up.take_over()
        for flow, data in zip(self._flows, (to_upstream, to_downstream), strict=True):
            self.attempt(flow, flow.begin, data)

    def attempt(self, flow: Flow, step: Callable[..., None], *arguments: Any) -> None:
        """Do one step of a flow; then close, or break, what has come to its end."""
        if self._down.leaving or self._up.leaving:
            return
        try:
            step(*arguments)
        except OSError:
            self._break(Ending.RESET, flow.failed_at.side)
            return
        if all(each.delivered for each in self._flows):
            self._account.ends(Ending.CLOSED, flow.source.side)
            self._close(ConnectionDone())

    def broken(self, side: Side) -> None:
        """The reactor found an error on a side."""
        self._break(Ending.RESET, side)

    def lost(self, side: Side, reason: Failure) -> None:
        """A side's connection was closed, by us or by whoever owns the transport."""
        orderly = self._account.gone(side, reason)
        self._close(ConnectionDone() if orderly else ConnectionAborted())

    def _break(self, ending: Ending, by: Side) -> None:
        self._account.ends(ending, by)
        self._close(ConnectionAborted())

    def _close(self, how: Exception) -> None:
        for flow in self._flows:
            flow.drop()
        self._down.close(how)
        self._up.close(how)


class Flow:
    """One direction.

    :ivar delivered: the source has ended and everything it sent is in the sink, the end included.
    :ivar failed_at: the end whose socket was touched last: where an OSError comes from.
    """

    __slots__ = ("_account", "_held", "_in_pipe", "_pipe", "delivered", "failed_at", "finished", "sink", "source")

    def __init__(self, source: End, sink: End, account: RelayAccount) -> None:
        self.source = self.failed_at = source
        self.sink = sink
        self.finished = self.delivered = False
        self._account = account
        self._pipe: Pipe | None = None
        self._in_pipe = 0
        self._held = b""
        source.outward = sink.inward = self

    def begin(self, data: bytes) -> None:
        """Send what was there before the relay."""
        self._account.moved(self.sink.side, len(data))
        self._held = data
        self.push()

    def pull(self) -> None:
        """The source can be read, and nothing is under way."""
        self.failed_at = self.source
        pipe = self._pipe = PIPES.borrow()
        try:
            if pipe is None:
                self._held = self.source.socket.recv(_COPY)
                size = len(self._held)
            else:
                size = self._in_pipe = os.splice(self.source.fd, pipe.write_end, pipe.size, flags=_MOVE)
        except BlockingIOError:
            self._put_pipe_back()
            return
        if size:
            self._account.moved(self.sink.side, size)
        else:
            self.finished = True
            self.source.read(False)
        self.push()

    def push(self) -> None:
        """Move on what is under way, and wait for whichever end is slow."""
        self.failed_at = self.sink
        try:
            while self._held:
                self._held = self._held[self.sink.socket.send(self._held) :]
            while self._in_pipe:
                assert self._pipe is not None
                self._in_pipe -= os.splice(self._pipe.read_end, self.sink.fd, self._in_pipe, flags=_MOVE)
        except BlockingIOError:
            self.source.read(False)
            self.sink.write(True)
            return
        self._put_pipe_back()
        self.sink.write(False)
        if not self.finished:
            self.source.read(True)
        elif not self.delivered:
            self.delivered = True
            self.sink.end_writing()

    def resume(self) -> None:
        """The sink takes bytes again: that it does is a sign of life."""
        self._account.moved(self.sink.side, 0)
        self.push()

    def end(self) -> None:
        """The source hung up and has nothing left to read: an end, or a reset that ate what there was."""
        self.failed_at = self.source
        error = self.source.socket.getsockopt(SOL_SOCKET, SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self.finished = True
        self.push()

    def drop(self) -> None:
        """Forget what is under way."""
        self._held = b""
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            if self._in_pipe:
                PIPES.discard(pipe)
            else:
                PIPES.give_back(pipe)
            self._in_pipe = 0

    def _put_pipe_back(self) -> None:
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            PIPES.give_back(pipe)


@implementer(IReadWriteDescriptor, IHalfCloseableDescriptor, ILoggingContext)
class End:
    """One side's place in the reactor.

    :ivar outward: the flow that reads here; ``inward``: the flow that writes here.
    """

    outward: Flow
    inward: Flow

    def __init__(self, side: Side, connection: Connection, relay: SpliceRelay) -> None:
        self.side = side
        self.closed = False
        self.socket = connection.socket
        self.fd = connection.fileno()
        self._connection: Any = connection
        self._reactor: Any = connection.reactor
        self._relay = relay
        self._reading = self._writing = False

    @property
    def leaving(self) -> bool:
        """Closed, or about to be by whoever owns the connection: no byte moves any more."""
        return self.closed or self._connection._aborting or self._connection.disconnecting

    def take_over(self) -> None:
        """Move in."""
        self._connection.stopReading()
        self._connection.stopWriting()
        self._connection.protocol = _Watch(self)

    def read(self, wanted: bool) -> None:
        """Ask, or no longer ask, to be told when there is something to read."""
        if wanted != self._reading:
            self._reading = wanted
            (self._reactor.addReader if wanted else self._reactor.removeReader)(self)

    def write(self, wanted: bool) -> None:
        """Ask, or no longer ask, to be told when there is room."""
        if wanted != self._writing:
            self._writing = wanted
            (self._reactor.addWriter if wanted else self._reactor.removeWriter)(self)

    def end_writing(self) -> None:
        """Half-close: the peer has got everything."""
        self.socket.shutdown(SHUT_WR)

    def close(self, how: Exception) -> None:
        """Move out, and let Twisted close the connection."""
        if not self.closed:
            self.closed = True
            self.read(False)
            self.write(False)
            self._connection.connectionLost(Failure(how))  # type: ignore[no-untyped-call]

    def lost(self, reason: Failure) -> None:
        """Twisted has closed the connection; its descriptor is no longer ours to name."""
        self.closed = True
        self._reading = self._writing = False
        self._relay.lost(self.side, reason)

    # -- what the reactor calls --------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The connection's descriptor, -1 when it is closed."""
        return -1 if self.closed else self.fd

    def doRead(self) -> None:
        """There is something to read."""
        if self._reading:
            self._relay.attempt(self.outward, self.outward.pull)

    def doWrite(self) -> None:
        """There is room."""
        if self._writing:
            self._relay.attempt(self.inward, self.inward.resume)

    def readConnectionLost(self, reason: Failure) -> None:
        """Hung up, and nothing is left to read."""
        self.read(False)
        self._relay.attempt(self.outward, self.outward.end)

    def writeConnectionLost(self, reason: Failure) -> None:
        """An error."""
        self._relay.broken(self.side)

    def connectionLost(self, reason: Failure) -> None:
        """An error, or the reactor is stopping."""
        self._relay.broken(self.side)

    def logPrefix(self) -> str:
        """For messages of the reactor."""
        return f"tunnel ({self.side.value})"


class _Watch(Protocol):
    """The connection's protocol while it is spliced: hears only of its end."""

    def __init__(self, end: End) -> None:
        self._end = end

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end.lost(reason)
