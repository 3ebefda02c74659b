"""From values to bytes: everything we send is written here, and nothing of it was copied from a peer's head.

A value that could end a line cannot be written: the finished head is checked as a whole, so no field is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eve_proxy.model.authority import Authority
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.wire.events import Framing, FramingKind
from eve_proxy.wire.grammar import CRLF, TEXT, is_token
from eve_proxy.wire.hop_by_hop import HOP_BY_HOP, USUAL

VIA: Final = b"1.1 eve"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

# A Content-Length: 0 tells the upstream that their empty body is meant (RFC 9110 section 8.6).
_USUALLY_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
# What delimits and routes a message is written from values of ours, once.
_OURS: Final = HOP_BY_HOP | frozenset((b"content-length", b"host"))
# Only to save time: most names are spelt like this, and need no look.
_SOUND: Final = frozenset([name for name in USUAL if name.lower() not in _OURS])

Pairs = Sequence[tuple[bytes, bytes]]


def request_head(request: Request, *, framing_length: int | None, via: bytes = VIA) -> bytes:
    """The head that goes upstream, in origin-form.

    :param framing_length: bytes of the body; None when there is none.
    :param via: our member of ``Via``, sent after those that came with the request.
    :raises ValueError: a name or value that would break the head, or a field that only we may write.
    """
    own = [b"Via: " + via]
    if framing_length is not None:
        own.append(b"Content-Length: %d" % framing_length)
    elif request.method in _USUALLY_WITH_BODY:
        own.append(b"Content-Length: 0")
    return _request(request, own)


def websocket_head(request: Request, *, via: bytes = VIA) -> bytes:
    """The head of a request that asks for an upgrade to websocket and to nothing else.

    :raises ValueError: as ``request_head``.
    """
    return _request(request, [b"Via: " + via, b"Connection: Upgrade", b"Upgrade: websocket"])


def absolute_head(request: Request, *, framing_length: int | None, via: bytes = VIA) -> bytes:
    """As ``request_head``, in absolute-form: for a proxy that carries the request out (RFC 9112 section 3.2.2).

    :raises ValueError: as ``request_head``.
    """
    origin = f"{request.scheme}://{request.authority.host_header(request.scheme)}".encode("ascii")
    # OPTIONS * loses its asterisk (RFC 9112 section 3.2.4).
    target = origin if request.target == b"*" else origin + request.target
    return request_head(replace(request, target=target), framing_length=framing_length, via=via)


def connect_head(authority: Authority, authorization: bytes | None) -> bytes:
    """Our CONNECT to a parent proxy.

    :param authority: what the tunnel is to lead to.
    :param authorization: the value of Proxy-Authorization, ours.
    :raises ValueError: as ``request_head``.
    """
    target = str(authority).encode("ascii")
    own = [] if authorization is None else [_line(b"Proxy-Authorization", authorization)]
    return _head([b"CONNECT %b HTTP/1.1" % target, b"Host: " + target], Headers(), own)


def with_authorization(head: bytes, authorization: bytes | None) -> bytes:
    """``head`` of ours with our credentials for the proxy that it goes to.

    :param authorization: the value of Proxy-Authorization, of visible ASCII and blanks.
    """
    if authorization is None:
        return head
    return b"%bProxy-Authorization: %b\r\n\r\n" % (head[:-2], authorization)


def response_head(
    status: int,
    reason: bytes,
    headers: Headers,
    *,
    framing: Framing,
    extra: Pairs = (),
    keep_alive: bool,
    version: str = "1.1",
    via: bytes | None = VIA,
) -> bytes:
    """The head that goes to the client.

    :param framing: how the body that follows is written: NONE, LENGTH, CHUNKED, or CLOSE with ``keep_alive`` False.
        NONE with a length announces it (HEAD, 304). ``framing.relay_framing`` chooses for an upstream's response.
    :param extra: our own fields, ``X-EVE-*``.
    :param version: what the client speaks, ``1.0`` or ``1.1``.
    :param via: None for an answer of our own.
    :raises ValueError: as ``request_head``, or the framing does not fit.
    """
    own = [] if via is None else [b"Via: " + via]
    own += [_line(name, value) for name, value in extra]
    if framing.length is not None:
        own.append(b"Content-Length: %d" % framing.length)
    elif framing.kind is FramingKind.CHUNKED:
        if version == "1.0":
            raise ValueError("HTTP/1.0 has no chunked coding")
        own.append(b"Transfer-Encoding: chunked")
    elif framing.kind is FramingKind.CLOSE and keep_alive:
        raise ValueError("a body that ends with the connection cannot keep it alive")
    if not keep_alive:
        own.append(b"Connection: close")
    elif version == "1.0":
        own.append(b"Connection: keep-alive")
    return _response(status, reason, headers, own)


def informational_head(status: int, reason: bytes, headers: Headers, *, via: bytes = VIA) -> bytes:
    """A 1xx response other than 101, relayed.

    :raises ValueError: as ``request_head``.
    """
    return _response(status, reason, headers, [b"Via: " + via])


def connect_response_head(*, extra: Pairs = ()) -> bytes:
    """The 200 after which a CONNECT is a tunnel. It has no framing fields (RFC 9110 section 9.3.6).

    :raises ValueError: as ``request_head``.
    """
    return _response(200, b"Connection established", Headers(), [_line(name, value) for name, value in extra])


def switching_protocols_head(headers: Headers, *, extra: Pairs = (), via: bytes = VIA) -> bytes:
    """The 101 after which the connection is a websocket.

    :param headers: of the upstream's 101.
    :raises ValueError: as ``request_head``.
    """
    extra_lines = [_line(name, value) for name, value in extra]
    own = [b"Via: " + via, *extra_lines, b"Connection: Upgrade", b"Upgrade: websocket"]
    return _response(101, b"Switching Protocols", headers, own)


def chunk(data: bytes) -> bytes:
    """One chunk. Nothing for no data: an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Headers) -> bytes:
    """The end of a chunked body.

    :raises ValueError: as ``request_head``.
    """
    return _head([b"0"], trailers, []) if trailers.fields else LAST_CHUNK


def _request(request: Request, own: list[bytes]) -> bytes:
    method = request.method.encode("ascii", "replace")
    target = request.target
    if method == b"CONNECT":
        raise ValueError("CONNECT is answered here, never sent on")
    # Control characters are found in the finished head; a blank would split this line differently.
    if not is_token(method) or not target or b" " in target or b"\t" in target:
        raise ValueError("a method or target that does not fit into a request line")
    host = request.authority.host_header(request.scheme).encode("ascii")
    return _head([method + b" " + target + b" HTTP/1.1", b"Host: " + host], request.headers, own)


def _response(status: int, reason: bytes, headers: Headers, own: list[bytes]) -> bytes:
    if not 100 <= status <= 599:
        raise ValueError("a status outside 100 to 599")
    return _head([b"HTTP/1.1 %d %b" % (status, reason)], headers, own)


def _line(name: bytes, value: bytes) -> bytes:
    """A field of ours, whose name the caller chose."""
    if not is_token(name):
        raise ValueError("a field name is empty or not a token")
    return name + b": " + value


def _head(lines: list[bytes], headers: Headers, own: list[bytes]) -> bytes:
    for lower, name, value in headers.fields:
        if name not in _SOUND:
            if not is_token(name):
                raise ValueError("a field name is empty or not a token")
            if lower in _OURS:
                raise ValueError("a field that only the serialiser may write")
        lines.append(name + b": " + value)
    lines += own
    # Each line but the empty one at the end brings one CRLF; whatever else is not text came out of a value.
    lines += (b"", b"")
    head = CRLF.join(lines)
    if len(head.translate(None, TEXT)) != 2 * len(lines) - 2:
        raise ValueError("a control character in a field value, a target or a reason")
    return head
