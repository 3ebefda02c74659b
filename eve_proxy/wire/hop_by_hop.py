"""Fields that belong to one connection and never travel on (RFC 9110 section 7.6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Field, Headers
from eve_proxy.wire.grammar import members

# Trailer goes with the trailers, which are refused or optional; HTTP2-Settings with the h2c that is never offered.
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# Set anew from values on every message we send.
_REWRITTEN: Final = frozenset((b"content-length", b"expect", b"host"))
REQUEST_DROPS: Final = HOP_BY_HOP | _REWRITTEN
# Host means nothing in a response, but some origins send it.
RESPONSE_DROPS: Final = HOP_BY_HOP | frozenset((b"content-length", b"host"))

# Proxy-* is for one hop, X-EVE-* is ours alone to say (evidence.md). Both prefixes have six bytes.
_PREFIX: Final = 6
_RESERVED: Final = frozenset((b"proxy-", b"x-eve-"))

# A Connection option may not take away what delimits or routes a message: a peer that obeys it and a peer that does
# not would read two different messages. Any other end-to-end field may be named; it is removed before judging, so
# that what is judged is what is sent, and the sender could as well have left it out.
_ESSENTIAL: Final = frozenset((b"content-length", b"host", b"max-forwards", b"transfer-encoding", b"via"))

# Options that name no field, or one that is removed anyway: the usual case needs no set of its own.
_HARMLESS: Final = frozenset((b"close", b"keep-alive", b"te", b"upgrade"))

# Not allowed in trailers (RFC 9110 section 6.5.1): framing, routing, content format, authentication, cookies.
_NOT_TRAILERS: Final = RESPONSE_DROPS | frozenset(
    (
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"host",
        b"location",
        b"set-cookie",
        b"via",
        b"www-authenticate",
    )
)

# Schemes that authenticate the connection, not the request (RFC 4559 section 6).
_CONNECTION_SCHEMES: Final = frozenset((b"ntlm", b"negotiate"))


def dropped(always: frozenset[bytes], options: list[bytes]) -> frozenset[bytes]:
    """The names that do not travel on.

    :param always: ``REQUEST_DROPS`` or ``RESPONSE_DROPS``.
    :param options: the members of ``Connection``, lower case.
    :raises Malformed: ``Connection`` names a field that it must not.
    """
    if not options or _HARMLESS.issuperset(options):
        return always
    if not _ESSENTIAL.isdisjoint(options):
        raise Malformed("connection-names-essential", "Connection names a field that delimits or routes the message")
    return always.union(options)


def end_to_end(fields: Iterable[Field], drops: frozenset[bytes]) -> Headers:
    """``fields`` without ``drops``, ``Proxy-*`` and ``X-EVE-*``."""
    return Headers(
        fields=tuple([field for field in fields if field[0] not in drops and field[0][:_PREFIX] not in _RESERVED])
    )


def trailer_fields(fields: Iterable[Field]) -> Headers:
    """What may be relayed of the trailers of a response."""
    return end_to_end(fields, _NOT_TRAILERS)


def names_connection_auth(values: Sequence[bytes]) -> bool:
    """One of the challenges (values of ``WWW-Authenticate``) is NTLM or Negotiate."""
    return any(member.split(b" ", 1)[0] in _CONNECTION_SCHEMES for member in members(values))
