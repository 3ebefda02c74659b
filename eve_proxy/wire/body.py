"""Bodies: the bytes between a head and the end of its message."""

from __future__ import annotations

from typing import Protocol

from eve_proxy.wire.chunked import ChunkedDecoder
from eve_proxy.wire.events import END, Data, End, Framing, FramingKind


class BodyDecoder(Protocol):
    """Finds the end of one body."""

    def feed(self, data: bytes) -> tuple[list[Data | End], bytes | None]:
        """Decode ``data``.

        :returns: the events, ``End`` the last of them when the message is complete; then what follows the message,
            None while it is incomplete.
        :raises Malformed: broken framing.
        """


class LengthDecoder:
    """A body of ``length`` bytes, more than none."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    def feed(self, data: bytes) -> tuple[list[Data | End], bytes | None]:
        """See ``BodyDecoder``."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return [Data(data)] if data else [], None
        if size == self._left:
            return [Data(data), END], b""
        return [Data(data[: self._left]), END], data[self._left :]


class CloseDecoder:
    """A body that ends when the connection does."""

    __slots__ = ()

    def feed(self, data: bytes) -> tuple[list[Data | End], bytes | None]:
        """See ``BodyDecoder``."""
        return [Data(data)] if data else [], None


def body_decoder(framing: Framing, *, trailers: bool) -> BodyDecoder | None:
    """The decoder for ``framing``, or None when there is no body to read.

    :param trailers: whether trailers are accepted.
    """
    if framing.kind is FramingKind.LENGTH:
        return LengthDecoder(framing.length) if framing.length else None
    if framing.kind is FramingKind.CHUNKED:
        return ChunkedDecoder(trailers=trailers)
    return CloseDecoder() if framing.kind is FramingKind.CLOSE else None
