"""What becomes of a field, by its name: which ones belong to one connection (RFC 9110 section 7.6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.grammar import is_token, members

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
# Host means nothing in a response, but some origins send it.
_RESPONSE_DROPS: Final = HOP_BY_HOP | frozenset((b"content-length", b"host"))

# Proxy-* is for one hop, X-EVE-* is ours alone to say (evidence.md). Both prefixes have six bytes.
_PREFIX: Final = 6
_RESERVED: Final = frozenset((b"proxy-", b"x-eve-"))

# A Connection option may not take away what delimits or routes a message: a peer that obeys it and a peer that does
# not would read two different messages. Any other end-to-end field may be named; it is removed before judging, so
# that what is judged is what is sent, and the sender could as well have left it out.
_ESSENTIAL: Final = frozenset((b"content-length", b"host", b"max-forwards", b"transfer-encoding", b"via"))

# Options that name no field, or one that is removed anyway: the usual case needs no set of its own.
_HARMLESS: Final = frozenset((b"close", b"keep-alive", b"te", b"upgrade"))
_NOTHING: Final[frozenset[bytes]] = frozenset()
NO_OPTIONS: Final[tuple[Sequence[bytes], frozenset[bytes]]] = (), _NOTHING
# Only to save time.
_USUAL_OPTIONS: Final = {
    value: ((value.lower(),), _NOTHING)
    for value in (b"close", b"Close", b"keep-alive", b"Keep-Alive", b"upgrade", b"Upgrade")
}

# Not allowed in trailers (RFC 9110 section 6.5.1): framing, routing, content format, authentication, cookies.
_NOT_TRAILERS: Final = _RESPONSE_DROPS | frozenset(
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

# Only to save time: any other token is as good a name. As most programs spell them.
USUAL: Final = frozenset(
    (
        *(b"Accept", b"Accept-Encoding", b"Accept-Language", b"Accept-Ranges", b"Access-Control-Allow-Origin", b"Age"),
        *(b"Alt-Svc", b"Authorization", b"Cache-Control", b"Connection", b"Content-Disposition", b"Content-Encoding"),
        *(b"Content-Language", b"Content-Length", b"Content-Type", b"Cookie", b"Date", b"ETag", b"Expires", b"Host"),
        *(b"If-Modified-Since", b"If-None-Match", b"Keep-Alive", b"Last-Modified", b"Link", b"Location", b"Origin"),
        *(b"Pragma", b"Proxy-Authorization", b"Proxy-Connection", b"Range", b"Referer", b"Retry-After", b"Server"),
        *(b"Set-Cookie", b"Strict-Transport-Security", b"TE", b"Transfer-Encoding", b"Upgrade", b"User-Agent", b"Vary"),
        *(b"Via", b"X-Api-Key", b"X-Content-Type-Options", b"X-Request-ID", b"X-Request-Id"),
        *(b"accept", b"accept-encoding", b"accept-language", b"access-control-allow-origin", b"age", b"alt-svc"),
        *(b"authorization", b"cache-control", b"connection", b"content-encoding", b"content-length", b"content-type"),
        *(b"cookie", b"date", b"etag", b"host", b"last-modified", b"location", b"server", b"set-cookie"),
        *(b"strict-transport-security", b"te", b"traceparent", b"tracestate", b"transfer-encoding", b"user-agent"),
        *(b"vary", b"via", b"x-api-key", b"x-content-type-options", b"x-request-id"),
    )
)

# The name in lower case, empty if it is not a token; whether the field travels on, unless Connection names it; whether
# its value is of interest here (or to nobody).
Fate: TypeAlias = tuple[bytes, bool, bool]


class Fates(dict[bytes, Fate]):
    """The fate of each name, as it is spelt; names that are not usual are looked at when they occur.

    :param drops: what does not travel on, besides ``Proxy-*`` and ``X-EVE-*``.
    :param reads: what is of interest here although it travels.
    """

    def __init__(self, drops: frozenset[bytes], reads: frozenset[bytes] = _NOTHING) -> None:
        super().__init__()
        self._drops = drops
        self._reads = reads
        for spelt in USUAL:
            self[spelt] = self[spelt]

    def __missing__(self, spelt: bytes) -> Fate:
        name = spelt.lower() if is_token(spelt) else b""
        # Servers that make variables of names (CGI) take an underscore for a hyphen.
        meant = name.replace(b"_", b"-")
        travels = bool(name) and meant not in self._drops and meant[:_PREFIX] not in _RESERVED
        return name, travels, not travels or name in self._reads


REQUEST: Final = Fates(HOP_BY_HOP | _REWRITTEN, frozenset((b"max-forwards", b"traceparent", b"x-request-id")))
RESPONSE: Final = Fates(_RESPONSE_DROPS, frozenset((b"www-authenticate",)))
TRAILERS: Final = Fates(_NOT_TRAILERS)


def connection(values: list[bytes]) -> tuple[Sequence[bytes], frozenset[bytes]]:
    """What ``Connection`` says.

    :param values: of all ``Connection`` fields.
    :returns: the options, lower case, and among them those that may be names of fields: these do not travel on.
    :raises Malformed: it names a field that it must not.
    """
    if len(values) == 1 and (usual := _USUAL_OPTIONS.get(values[0])):
        return usual
    options = members(values)
    if _HARMLESS.issuperset(options):
        return options, _NOTHING
    if not _ESSENTIAL.isdisjoint(options):
        raise Malformed("connection-names-essential", "Connection names a field that delimits or routes the message")
    return options, frozenset(options)


def names_connection_auth(values: Sequence[bytes]) -> bool:
    """One of the challenges (values of ``WWW-Authenticate``) is NTLM or Negotiate."""
    return any(member.split(b" ", 1)[0] in _CONNECTION_SCHEMES for member in members(values))
