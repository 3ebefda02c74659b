"""HMAC-SHA256 under one key, many times (RFC 2104): the key's two halves are hashed once.

``hmac.new(key).copy()`` does the same through a Python object per message and takes twice as long, and every governed
request makes two: its signature, and the stand-in for its credential.
"""

from __future__ import annotations

import hashlib
from typing import Final

_BLOCK: Final = 64  # bytes, SHA-256
_INNER: Final = bytes([octet ^ 0x36 for octet in range(256)])
_OUTER: Final = bytes([octet ^ 0x5C for octet in range(256)])


class Mac:
    """A keyed hash. Holds no key, only what hashing its two halves left."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """32 bytes."""
        return bytes.fromhex(self.hexdigest(message))

    def hexdigest(self, message: bytes) -> str:
        """64 lower-case hex digits."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()
