"""What the readers make of bytes: frozen values, in the order in which they stood on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request


class Form(Enum):
    """The four forms of a request target (RFC 9112 section 3.2)."""

    ABSOLUTE = "absolute"
    AUTHORITY = "authority"
    ORIGIN = "origin"
    ASTERISK = "asterisk"


class FramingKind(Enum):
    """How the end of a body is found (RFC 9112 section 6.3)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


class Framing(NamedTuple):
    """How long a body is.

    :ivar length: bytes, for LENGTH. With NONE: the length that a HEAD or 304 response announces for a body that
        does not follow. Else None.
    """

    kind: FramingKind
    length: int | None = None


NO_BODY: Final = Framing(kind=FramingKind.NONE)
CHUNKED: Final = Framing(kind=FramingKind.CHUNKED)
UNTIL_CLOSE: Final = Framing(kind=FramingKind.CLOSE)


class RequestHead(NamedTuple):
    """A request, body excluded. Always followed by ``Data`` (none or more) and exactly one ``End``.

    :ivar form: the form the target came in; ORIGIN and ASTERISK were addressed to whoever listens.
    :ivar framing: NONE, LENGTH or CHUNKED.
    :ivar version: ``1.0`` or ``1.1``.
    :ivar keep_alive: another request may follow on the connection. False for CONNECT, whatever it says.
    :ivar expect_continue: the client waits for ``100 Continue`` before it sends the body that ``framing`` declares.
    :ivar accepts_trailers: ``TE: trailers`` was sent.
    :ivar max_forwards: of OPTIONS and TRACE, as received; 0 means that we are the final recipient. In the request's
        headers it is already one less.
    """

    request: Request
    form: Form
    framing: Framing
    version: str
    keep_alive: bool
    expect_continue: bool
    accepts_trailers: bool
    max_forwards: int | None


class ResponseHead(NamedTuple):
    """A response, body excluded. Followed by ``Data`` and one ``End``, except a 101: bytes of a tunnel follow it.

    :ivar headers: end-to-end fields only: no hop-by-hop field, nothing that ``Connection`` names, no ``Proxy-*``, no
        ``X-EVE-*``, no ``Content-Length`` or ``Transfer-Encoding``.
    :ivar keep_alive: the upstream lets the connection live on.
    :ivar connection_auth: NTLM or Negotiate is offered, which authenticates connections: never share this one.
    :ivar upgrade: the lower-case token of a 101, else None.
    :ivar content_length: what ``Content-Length`` said, to be repeated on HEAD and 304; None if it was absent.
    """

    status: int
    reason: bytes
    headers: Headers
    framing: Framing
    version: str
    keep_alive: bool
    connection_auth: bool
    upgrade: bytes | None
    content_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Informational:
    """A 1xx response except 101. The final one is still to come."""

    head: ResponseHead


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of a body, framing removed, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The message is complete.

    :ivar trailers: of a chunked response; relay them only to a client that ``accepts_trailers``.
    """

    trailers: Headers


END: Final = End(Headers())

Event: TypeAlias = RequestHead | ResponseHead | Informational | Data | End
RequestEvent: TypeAlias = RequestHead | Data | End
ResponseEvent: TypeAlias = ResponseHead | Informational | Data | End
