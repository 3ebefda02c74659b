"""One message, read by us and by h11: two values that can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import h11

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.errors import Malformed, UpstreamFailed
from eve_proxy.wire.events import Data, End, Event, Informational, RequestHead, ResponseHead
from eve_proxy.wire.request_reader import RequestReader
from eve_proxy.wire.response_reader import ResponseReader

US: Final = parse_authority("127.0.0.1:3128", None)
# More than our own bounds, which are ours to enforce.
_H11_BOUND: Final = 1024 * 1024

Ours: TypeAlias = RequestHead | ResponseHead


@dataclass(slots=True, kw_only=True)
class Reading:
    """What a parser makes of the first message of some bytes.

    :ivar head: the parser's own value, None while it is incomplete (or when the bytes were refused).
    :ivar informational: the 1xx heads that came before it.
    :ivar body: as much of it as is there.
    :ivar trailers: of the complete message.
    :ivar rest: how many bytes follow the message; None while it is incomplete.
    :ivar fault: why the bytes were refused, else None.
    :ivar heads_end: where the last head that was read ends.
    """

    head: Any = None
    informational: list[Any] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    rest: int | None = None
    fault: str | None = None
    heads_end: int = 0


def our_request(data: bytes) -> Reading:
    """The first request in ``data``, as we read it. A fault is ``Malformed.fault``."""
    reader = RequestReader(default_authority=US)
    try:
        reading = _of_events(reader.feed(data))
    except Malformed as fault:
        return Reading(fault=fault.fault)
    if reading.rest is not None:
        reading.rest = reader.buffered
    return reading


def our_response(data: bytes, method: str, *, websocket: bool) -> tuple[Reading, ResponseReader]:
    """The response in ``data``, and the reader, which can be told that the upstream closed."""
    reader = ResponseReader(method, websocket=websocket)
    try:
        reading = _of_events(reader.feed(data))
    except UpstreamFailed as failed:
        fault = failed.__cause__
    else:
        return reading, reader
    assert isinstance(fault, Malformed), "a response is refused without a named fault"
    return Reading(fault=fault.fault), reader


def _of_events(events: list[Any]) -> Reading:
    reading = Reading()
    pieces: list[bytes] = []
    order: list[type[Event]] = []
    for event in events:
        order.append(type(event))
        if isinstance(event, Informational):
            reading.informational.append(event.head)
        elif isinstance(event, Data):
            assert event.data, "an empty piece of a body"
            pieces.append(event.data)
        elif isinstance(event, End):
            reading.rest = 0
            reading.trailers = list(event.trailers)
        else:
            reading.head = event
    reading.body = b"".join(pieces)
    heads = sum(kind in (RequestHead, ResponseHead) for kind in order)
    assert heads <= 1, "more than one message from one feed"
    assert not pieces or heads, "a body without a head"
    assert End not in order or order[-1] is End, "something after the end of the message"
    return reading


def h11_request(data: bytes) -> Reading:
    """The first request in ``data``, as h11 reads it."""
    return _by_h11(h11.Connection(h11.SERVER, max_incomplete_event_size=_H11_BOUND), data)


def h11_response(data: bytes, method: str, *, websocket: bool, closed: bool) -> Reading:
    """The response in ``data``, as h11 reads it.

    :param closed: the upstream closed after it.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_H11_BOUND)
    fields = [("Host", "a")]
    if websocket:
        fields += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    connection.send(h11.Request(method=method, target="/", headers=fields))
    connection.send(h11.EndOfMessage())
    return _by_h11(connection, data, closed=closed)


def _by_h11(connection: h11.Connection, data: bytes, *, closed: bool = False) -> Reading:
    reading = Reading()
    pieces: list[bytes] = []
    try:
        # An empty piece means to h11 that the peer closed.
        if data:
            connection.receive_data(data)
        if closed:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            left = len(connection.trailing_data[0])
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
                continue
            if isinstance(event, h11.EndOfMessage):
                reading.rest = left
                reading.trailers = list(event.headers)
                break
            reading.heads_end = len(data) - left
            if isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                reading.informational.append(event)
            else:
                reading.head = event
                if isinstance(event, h11.InformationalResponse):
                    reading.rest = left
                    break
    except h11.RemoteProtocolError as error:
        reading.fault = str(error)
    reading.body = b"".join(pieces)
    return reading
