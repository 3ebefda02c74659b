"""Reads one response from an upstream's bytes."""

from __future__ import annotations

from enum import Enum
from typing import Final

from eve_proxy.model.errors import Malformed, UpstreamFailed
from eve_proxy.wire.body import BodyDecoder, body_decoder
from eve_proxy.wire.events import END, Data, FramingKind, Informational, ResponseEvent
from eve_proxy.wire.head_buffer import HeadBuffer
from eve_proxy.wire.response_head import parse_response_head

# Ample for 100, 102 and 103; an upstream may not keep a client waiting with an endless series.
_MOST_INFORMATIONAL: Final = 16


class _Phase(Enum):
    HEAD = "reading a head"
    BODY = "reading a body"
    COMPLETE = "the message is complete"
    UPGRADED = "a tunnel since the 101"
    DEAD = "the bytes were not acceptable"


# Bare names: looking a member up in its class takes longer than comparing it.
_HEAD, _BODY, _COMPLETE, _UPGRADED, _DEAD = _Phase


class ResponseReader:
    """The response to one request.

    :param method: of the request: it decides whether a body follows.
    :param websocket: the request asked for an upgrade to websocket; without it a 101 is a failure.
    """

    # Few responses need more than these, so they are set where they are needed.
    _body: BodyDecoder | None = None
    _framing = FramingKind.NONE
    _informational = 0
    _rest = b""
    #: Bytes came after the end of the message, which nobody asked for: the connection must not be used again.
    surplus = False

    def __init__(self, method: str, *, websocket: bool = False) -> None:
        self._method = method
        self._websocket = websocket
        self._phase = _HEAD
        self._head = HeadBuffer()

    def feed(self, data: bytes) -> list[ResponseEvent]:
        """Take bytes in the order they came.

        :raises UpstreamFailed: they are not acceptable; its cause is the ``Malformed`` that names the fault. The
            reader is dead after that.
        """
        events: list[ResponseEvent] = []
        try:
            while data and self._phase is _HEAD:
                data = self._read_head(events, data)
        except Malformed as fault:
            raise self._failed(fault) from fault
        if not data:
            return events
        if self._phase is _BODY:
            self._read_body(events, data)
        elif self._phase is _UPGRADED:
            self._rest += data
        elif self._phase is _COMPLETE:
            self.surplus = True
        else:
            raise UpstreamFailed("the upstream's response was malformed")
        return events

    def eof(self) -> list[ResponseEvent]:
        """The upstream has closed: ``End`` if that is how this body ends, nothing if it had ended before.

        :raises UpstreamFailed: the response is incomplete.
        """
        if self._phase in (_COMPLETE, _UPGRADED):
            return []
        if self._phase is _BODY:
            if self._framing is FramingKind.CLOSE:
                self._phase = _COMPLETE
                return [END]
            self._phase = _DEAD
            raise UpstreamFailed("the upstream closed the connection before the end of its response")
        self._phase = _DEAD
        where = "inside a response head" if self._head.pending else "without a response"
        raise UpstreamFailed(f"the upstream closed the connection {where}")

    def take_rest(self) -> bytes:
        """The bytes after a 101, which belong to the tunnel.

        :raises RuntimeError: there was no 101.
        """
        if self._phase is not _UPGRADED:
            raise RuntimeError("nothing was upgraded")
        rest, self._rest = self._rest, b""
        return rest

    def _read_head(self, events: list[ResponseEvent], data: bytes) -> bytes:
        taken = self._head.take(data)
        if taken is None:
            return b""
        head, rest = taken
        message = parse_response_head(head, self._method, websocket=self._websocket)
        framing = message.framing
        if rest and len(rest) == framing.length:
            # The usual case: the whole message in one piece.
            self._phase = _COMPLETE
            events += (message, Data(rest), END)
            return b""
        if message.status < 200 and message.upgrade is None:
            self._informational += 1
            if self._informational > _MOST_INFORMATIONAL:
                raise Malformed("too-many-informational", f"more than {_MOST_INFORMATIONAL} 1xx responses")
            events.append(Informational(head=message))
            return rest
        events.append(message)
        if message.upgrade is not None:
            self._phase = _UPGRADED
            return rest
        self._framing = framing.kind
        self._body = body_decoder(framing, trailers=True)
        if self._body is None:
            events.append(END)
            self._phase = _COMPLETE
        else:
            self._phase = _BODY
        return rest

    def _read_body(self, events: list[ResponseEvent], data: bytes) -> None:
        assert self._body is not None
        try:
            pieces, rest = self._body.feed(data)
        except Malformed as fault:
            raise self._failed(fault) from fault
        events += pieces
        if rest is not None:
            self._body = None
            self._phase = _COMPLETE
            self.surplus = bool(rest)

    def _failed(self, fault: Malformed) -> UpstreamFailed:
        self._phase = _DEAD
        return UpstreamFailed(f"malformed response: {fault.detail}")
