"""Send now, buffer only what the kernel does not take.

A write through the reactor costs two ``epoll_ctl`` calls and one more turn of the loop; trying the socket first
costs neither (performance.md, "What was learnt"). The shortcut is taken only in the one state in which it cannot
be told from ``transport.write``: a plain socket that is open both ways, with nothing queued before this data and
nobody who waits for the queue to drain.

Each send also wakes whoever reads at the other end, and on one machine that is half of its cost. On the lean reactor
``send_soon`` keeps what a busy turn has to say until it ends: sent back to back, it finds its readers awake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from socket import MSG_PEEK
from typing import Any

from twisted.internet.interfaces import IPullProducer, ITransport
from twisted.internet.tcp import Connection
from zope.interface import implementer

# Up to here one copy is cheaper than a scatter/gather call; beyond it a copy of the body is the larger cost.
JOIN_BELOW = 64 * 1024
# Linux's IOV_MAX; a longer list goes through the transport.
_MOST_PIECES = 1024


def send(transport: ITransport, data: bytes | Sequence[bytes]) -> None:
    """Write ``data``, at once when that is possible.

    Errors of the socket are left for the reactor to find, so that they arrive as ``connectionLost`` and never
    inside the caller.

    :param transport: any Twisted stream transport; anything but a plain TCP or Unix socket gets a plain write.
    :param data: one piece, or several that are sent with one call.
    """
    if not isinstance(data, bytes):
        if sum(map(len, data)) > JOIN_BELOW and len(data) <= _MOST_PIECES:
            _send_pieces(transport, data)
            return
        data = b"".join(data)
    if isinstance(transport, Connection) and can_send_now(transport):
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0
        if sent == len(data):
            return
        if sent:
            data = data[sent:]
    transport.write(data)


def send_soon(transport: ITransport, data: bytes) -> None:
    """As ``send``, but where the reactor gathers (``lean_reactor.py``), together with what else its turn sends."""
    if isinstance(transport, Connection):
        reactor: Any = transport.reactor
        if getattr(reactor, "gathers", False) and can_send_now(transport):
            # In the transport's own queue: whatever is written or closed before the turn ends comes behind it.
            transport._tempDataBuffer.append(data)
            transport._tempDataLen += len(data)
            reactor.outbox[transport] = None
            return
    send(transport, data)


def send_gathered(transport: Connection) -> None:
    """The turn has ended: send what ``send_soon`` kept, and what was written behind it."""
    pieces, transport._tempDataBuffer, transport._tempDataLen = transport._tempDataBuffer, [], 0
    if pieces and not transport._aborting:
        send(transport, pieces[0] if len(pieces) == 1 else b"".join(pieces))


def is_plain(transport: ITransport) -> bool:
    """Whether ``transport`` is a TCP or Unix socket itself, with no TLS on top."""
    return isinstance(transport, Connection) and not transport.TLS


def still_open(transport: ITransport) -> bool:
    """Look, without the reactor, whether an idle peer has closed (or sent something that nobody asked for)."""
    if not isinstance(transport, Connection) or transport.TLS:
        return True
    try:
        transport.socket.recv(1, MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def unsent(transport: ITransport) -> bool:
    """Whether bytes are queued that the kernel has not taken yet: the peer does not read as fast as we write."""
    if isinstance(transport, Connection):
        return bool(transport.dataBuffer or transport._tempDataLen)
    return bool(getattr(transport, "dataBuffer", b"") or getattr(transport, "_tempDataLen", 0))


def backed_up(transport: ITransport) -> bool:
    """As ``unsent``, apart from what leaves at the end of this turn: nobody had a chance to read that yet."""
    return unsent(transport) and transport not in getattr(getattr(transport, "reactor", None), "outbox", ())


def when_drained(transport: Any, callback: Callable[[], object]) -> None:
    """Call ``callback`` once the queue of ``transport``, in which something is ``unsent``, is empty.

    Never, when the connection is lost before. There must be no producer, and a half-close has to wait for the callback:
    Twisted forgets one that is asked for while a producer is registered.
    """
    transport.registerProducer(_Drained(transport, callback), False)


@implementer(IPullProducer)
class _Drained:
    """A pull producer that has nothing to send: it is asked for more when everything before was sent."""

    def __init__(self, transport: Any, callback: Callable[[], object]) -> None:
        self._transport = transport
        self._callback = callback
        self._registered = False

    def resumeProducing(self) -> None:
        if not self._registered:  # registering asks at once
            self._registered = True
            return
        self._transport.unregisterProducer()
        self._callback()

    def stopProducing(self) -> None:
        pass


def set_nodelay(transport: ITransport) -> None:
    """Switch Nagle's algorithm off where there is one: heads and bodies leave in one write already."""
    switch = getattr(transport, "setTcpNoDelay", None)
    if switch is not None:
        switch(True)


def _send_pieces(transport: ITransport, pieces: Sequence[bytes]) -> None:
    if isinstance(transport, Connection) and can_send_now(transport):
        try:
            sent = transport.socket.sendmsg(pieces)
        except OSError:
            sent = 0
        if sent:
            pieces = _after(pieces, sent)
    if pieces:
        transport.writeSequence(pieces)


def _after(pieces: Sequence[bytes], sent: int) -> list[bytes]:
    """What is left of ``pieces`` when the first ``sent`` bytes are gone."""
    for position, piece in enumerate(pieces):
        if sent < len(piece):
            return [piece[sent:], *pieces[position + 1 :]]
        sent -= len(piece)
    return []


def can_send_now(transport: Connection) -> bool:
    """Whether bytes given to the socket itself take no other path than through the transport."""
    return bool(
        transport.connected
        # Queued bytes come first. `dataBuffer` is emptied when it has been written, so its offset needs no look.
        and not transport._tempDataLen
        and not transport.dataBuffer
        # A close or half-close that waits for the queue is the reactor's to finish.
        and not transport.disconnecting
        and not transport._writeDisconnecting
        and not transport._aborting
        # TLS turns bytes into records first.
        and not transport.TLS
        # A pull producer is asked for more only when a queue has drained: without one it would wait for ever.
        and (transport.producer is None or transport.streamingProducer)
    )
