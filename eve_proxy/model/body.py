"""A request body that has completely arrived."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.model.lean import lean


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The bytes as received, and what they say.

    :ivar chunks: as they arrived, framing removed; joined only when somebody needs one piece.
    :ivar size: bytes, before decoding.
    :ivar sha256: lower-case hex over the bytes as received.
    :ivar content: the bytes that are judged: decoded when a Content-Encoding applied (governance-api.md).
    """

    chunks: tuple[bytes, ...]
    size: int
    sha256: str
    content: bytes
