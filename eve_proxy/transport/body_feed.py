"""Large request bodies, sent a piece at a time as the socket drains.

Given to the transport at once, a 10 MiB body would be copied whole into its buffer and nobody would know whether it
moves. Fed piece by piece it is copied piece by piece, and every piece is progress that the response timer sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IConsumer, IPullProducer
from zope.interface import implementer

# Bodies up to here leave in one write with their head.
FEED_ABOVE = 256 * 1024
_PIECE = 128 * 1024


@implementer(IPullProducer)
class BodyFeed:
    """Writes ``pieces`` to ``transport``, about 128 KiB for each time it has room.

    :param progress: called with every piece that is handed over.
    :param finished: called when the last one was.
    """

    __slots__ = ("_finished", "_pieces", "_progress", "_transport")

    def __init__(
        self,
        transport: IConsumer,
        pieces: Sequence[bytes],
        *,
        progress: Callable[[], object],
        finished: Callable[[], object],
    ) -> None:
        self._transport = transport
        # Views: cutting a large piece does not copy the rest of it.
        self._pieces = deque([memoryview(piece) for piece in pieces])
        self._progress = progress
        self._finished = finished

    def start(self) -> None:
        """Register with the transport, which asks for the first piece."""
        self._transport.registerProducer(self, False)

    def stop(self) -> None:
        """Send no more."""
        self._pieces.clear()
        self._transport.unregisterProducer()

    def resumeProducing(self) -> None:
        """The transport has sent what it had."""
        pieces = self._pieces
        batch: list[memoryview] = []
        size = 0
        while pieces and size < _PIECE:
            piece = pieces.popleft()
            if size + len(piece) > 2 * _PIECE:
                cut = 2 * _PIECE - size
                pieces.appendleft(piece[cut:])
                piece = piece[:cut]
            batch.append(piece)
            size += len(piece)
        self._progress()
        self._transport.write(b"".join(batch))
        if not pieces:
            self._transport.unregisterProducer()
            self._finished()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._pieces.clear()
