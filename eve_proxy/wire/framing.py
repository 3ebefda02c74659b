"""Where a body ends: the one place that decides it (RFC 9112 section 6, stricter: security.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, FramingKind

# 19 digits stay below 2**64: no number that some other implementation would wrap around.
_LONGEST_LENGTH: Final = 19
_LENGTH: Final = FramingKind.LENGTH


def declared_framing(version: str, lengths: Sequence[bytes], codings: Sequence[bytes]) -> Framing:
    """What a head says about its body; for a request that is the whole answer.

    :param version: ``1.0`` or ``1.1``.
    :param lengths: the values of all ``Content-Length`` fields.
    :param codings: the values of all ``Transfer-Encoding`` fields.
    :raises Malformed: more than one of them, or one that leaves room for a second reading.
    """
    if not codings:
        if not lengths:
            return NO_BODY
        if len(lengths) > 1:
            raise Malformed("two-content-lengths", "more than one Content-Length")
        digits = lengths[0]
        # bytes.isdigit() is ASCII only, and false for empty text, signs, blanks and lists.
        if not digits.isdigit() or len(digits) > _LONGEST_LENGTH:
            raise Malformed("content-length", "Content-Length is not one decimal number")
        return Framing(_LENGTH, int(digits))
    if lengths:
        raise Malformed("length-and-encoding", "Content-Length and Transfer-Encoding together")
    if version == "1.0":
        raise Malformed("encoding-on-http10", "Transfer-Encoding in HTTP/1.0")
    if len(codings) > 1:
        raise Malformed("two-transfer-encodings", "more than one Transfer-Encoding")
    if codings[0].lower() != b"chunked":
        raise Malformed("transfer-encoding", "a Transfer-Encoding other than exactly chunked")
    return CHUNKED


def response_framing(method: str, status: int, declared: Framing) -> Framing:
    """How the response to ``method`` is framed, given what its head declares (RFC 9112 section 6.3)."""
    if method == "HEAD" or status < 200 or status in (204, 304):
        return NO_BODY
    return UNTIL_CLOSE if declared is NO_BODY else declared


def relay_framing(received: Framing, content_length: int | None, version: str) -> Framing:
    """How a response goes on to a client that speaks ``version``.

    :param received: the framing of the upstream's response.
    :param content_length: what its head announced: repeated when no body follows (HEAD, 304).
    """
    if received.kind is _LENGTH:
        return received
    if received.kind is FramingKind.NONE:
        return Framing(FramingKind.NONE, content_length)
    return CHUNKED if version == "1.1" else UNTIL_CLOSE
