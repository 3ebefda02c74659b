"""Credentials on their way to the governor: comparable, never readable (governance-api.md, "Request").

A redacted value becomes ``hmac-`` and the HMAC-SHA256 (hex) under a random key that lives as long as the process: equal
values stay equal, and nobody without the key can test a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from eve_proxy.model.headers import Headers
from eve_proxy.model.text import readable
from eve_proxy.signing.mac import Mac

# Redacted whatever the configuration says; EVE_PROXY_GOVERNANCE_REDACT_HEADERS adds to them.
ALWAYS_HEADERS: Final = frozenset(("authorization", "proxy-authorization", "cookie", "x-api-key"))
# The default of EVE_PROXY_GOVERNANCE_REDACT_QUERY, which replaces it.
DEFAULT_QUERY: Final = frozenset(
    ("key", "api_key", "token", "access_token", "sig", "signature", "x-amz-signature"),
)


class Redactor:
    """Rewrites header fields and request targets for the governor.

    :param key: at least 16 random bytes, made anew by every process.
    :param headers: further header names; ``ALWAYS_HEADERS`` stay redacted.
    :param query: names of query parameters. Names are compared without case and after percent-decoding.
    :raises ValueError: a key that could be guessed.
    """

    __slots__ = ("_headers", "_mac", "_query")

    def __init__(
        self, key: bytes, headers: Iterable[str] = ALWAYS_HEADERS, query: Iterable[str] = DEFAULT_QUERY
    ) -> None:
        if len(key) < 16:
            raise ValueError("the redaction key needs at least 16 random bytes")
        self._mac = Mac(key)
        self._headers = frozenset(name.lower().encode() for name in ALWAYS_HEADERS.union(headers))
        self._query = frozenset(name.lower().encode() for name in query)

    def value(self, value: bytes) -> bytes:
        """``hmac-`` + 64 hex digits that stand for ``value``."""
        return b"hmac-" + self._mac.hexdigest(value).encode("ascii")

    def fields(self, headers: Headers) -> list[tuple[str, str]]:
        """``(lower-case name, value)`` pairs in order, as text for JSON, credentials replaced."""
        secret, hidden = self._headers, self.value
        try:
            return [
                (name.decode(), (hidden(value) if name in secret else value).decode())
                for name, _, value in headers.fields
            ]
        except UnicodeDecodeError:
            return [
                (readable(name), readable(hidden(value) if name in secret else value))
                for name, _, value in headers.fields
            ]

    def target(self, target: bytes) -> bytes:
        """``target`` with the values of credential parameters replaced; everything else byte for byte."""
        path, mark, query = target.partition(b"?")
        if not mark or not self._query:
            return target
        pieces = [self._piece(piece) if b"=" in piece else piece for piece in query.split(b"&")]
        return b"?".join((path, b"&".join(pieces)))

    def _piece(self, piece: bytes) -> bytes:
        # Some servers separate at ";" as well, most take it as part of the value. Both readings are covered: a part
        # that names a parameter of its own is one; a part without "=" still belongs to the value before it.
        if b";" not in piece:
            return self._parameter(piece)
        parts: list[bytes] = []
        for part in piece.split(b";"):
            if b"=" in part or not parts:
                parts.append(part)
            else:
                parts[-1] = parts[-1] + b";" + part
        return b";".join([self._parameter(part) for part in parts])

    def _parameter(self, parameter: bytes) -> bytes:
        name, equals, value = parameter.partition(b"=")
        plain = unquote_to_bytes(name.replace(b"+", b" ")) if b"%" in name or b"+" in name else name
        # After a second "?" some servers begin anew, others take it for a part of the name.
        if not equals or plain.strip().lstrip(b"?").lower() not in self._query:
            return parameter
        # Decoded first, so that two spellings of one credential stay comparable.
        return name + b"=" + self.value(unquote_to_bytes(value) if b"%" in value else value)
