"""Reads requests from a client's bytes, one at a time."""

from __future__ import annotations

from enum import Enum
from typing import Final

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.wire.body import BodyDecoder, body_decoder
from eve_proxy.wire.events import END, NO_BODY, Data, RequestEvent
from eve_proxy.wire.head_buffer import HeadBuffer
from eve_proxy.wire.request_head import parse_request_head

# RFC 9112 section 2.2 asks for "at least one"; a client that sends more is not confused but wasting our time.
_BLANK_LINES: Final = 2
# A backstop: whoever drives the reader stops reading from the client while a message waits to be taken.
_AHEAD_LIMIT: Final = 256 * 1024


class _Phase(Enum):
    HEAD = "reading a head"
    BODY = "reading a body"
    COMPLETE = "a message is complete"
    DEAD = "the bytes were not acceptable, or went to a tunnel"


# Bare names: looking a member up in its class takes longer than comparing it.
_HEAD, _BODY, _COMPLETE, _DEAD = _Phase


class RequestReader:
    """One connection's requests.

    Feed it what arrives. After ``End`` it holds further bytes back until ``next_message`` starts on the following
    request or ``take_rest`` gives them to a tunnel.

    :param default_authority: where an HTTP/1.0 request in origin-form goes that has no ``Host``.
    :param scheme: of requests in origin-form: ``https`` inside an intercepted tunnel.
    """

    __slots__ = ("_ahead", "_body", "_default_authority", "_fault", "_head", "_keep_alive", "_phase", "_scheme")

    def __init__(self, *, default_authority: Authority, scheme: str = "http") -> None:
        self._default_authority = default_authority
        self._scheme = scheme
        self._phase = _HEAD
        self._head = HeadBuffer(_BLANK_LINES)
        self._body: BodyDecoder | None = None
        self._keep_alive = True
        self._ahead = b""
        self._fault: Malformed | None = None

    @property
    def started(self) -> bool:
        """Some bytes of a head have arrived, but not all: the head timeout runs."""
        return bool(self._head.pending)

    @property
    def buffered(self) -> int:
        """Bytes held back: of an incomplete head, or beyond the current message."""
        return len(self._head.pending) + len(self._ahead)

    def feed(self, data: bytes) -> list[RequestEvent]:
        """Take bytes in the order they came.

        :raises Malformed: they are not acceptable; the reader is dead, and raises the same again.
        """
        if not data:
            return []
        try:
            if self._phase is _HEAD:
                return self._read_head(data)
            if self._phase is _BODY:
                events: list[RequestEvent] = []
                self._read_body(events, data)
                return events
            if self._phase is _COMPLETE:
                self._hold(data)
                return []
        except Malformed as fault:
            self._phase = _DEAD
            self._fault = fault
            raise
        if self._fault is not None:
            raise self._fault
        raise RuntimeError("the connection became a tunnel; nothing of it is HTTP any more")

    def next_message(self) -> list[RequestEvent]:
        """Start on the following request; its events, as far as it is here already.

        :raises Malformed: as ``feed``.
        :raises RuntimeError: the current message is not complete, or was to be the connection's last.
        """
        if self._phase is not _COMPLETE or not self._keep_alive:
            raise RuntimeError("no further request can be read from this connection now")
        self._phase = _HEAD
        if not self._ahead:
            return []
        data, self._ahead = self._ahead, b""
        return self.feed(data)

    def take_rest(self) -> bytes:
        """The bytes beyond a CONNECT or an upgrade request: the tunnel's. The reader is done after that.

        :raises RuntimeError: the current message is not complete.
        """
        if self._phase is not _COMPLETE:
            raise RuntimeError("only what follows a complete request can belong to a tunnel")
        self._phase = _DEAD
        rest, self._ahead = self._ahead, b""
        return rest

    def _read_head(self, data: bytes) -> list[RequestEvent]:
        taken = self._head.take(data)
        if taken is None:
            return []
        head, rest = taken
        message = parse_request_head(head, default_authority=self._default_authority, scheme=self._scheme)
        self._keep_alive = message.keep_alive
        framing = message.framing
        if not rest and framing is NO_BODY:
            self._phase = _COMPLETE
            return [message, END]
        if rest and len(rest) == framing.length:
            # The other usual case: the whole message in one piece.
            self._phase = _COMPLETE
            return [message, Data(rest), END]
        self._body = body_decoder(framing, trailers=False)
        events: list[RequestEvent] = [message]
        if self._body is None:
            events.append(END)
            self._phase = _COMPLETE
            self._hold(rest)
            return events
        self._phase = _BODY
        if rest:
            self._read_body(events, rest)
        return events

    def _read_body(self, events: list[RequestEvent], data: bytes) -> None:
        assert self._body is not None
        pieces, rest = self._body.feed(data)
        events += pieces
        if rest is not None:
            self._body = None
            self._phase = _COMPLETE
            self._hold(rest)

    def _hold(self, data: bytes) -> None:
        if data:
            if len(self._ahead) + len(data) > _AHEAD_LIMIT:
                raise Malformed("too-far-ahead", f"more than {_AHEAD_LIMIT} bytes sent ahead of the answer")
            self._ahead += data
