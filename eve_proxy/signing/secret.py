"""A shared secret as an HMAC-SHA256 key. Imports neither Twisted nor zope: the offline verifier stands on it."""

from __future__ import annotations

import base64
import hmac
from typing import Any, Final

import orjson

from eve_proxy.signing.mac import Mac

HMAC_SHA256: Final = "HMAC-SHA256"
SHORTEST: Final = 32  # RFC 7518 section 3.2: a key of the hash's size or larger
HMAC_TAG: Final = "hmac-"
_KEY_ID_LABEL = b"eve key id/1"


class NotASecret(ValueError):
    """Text that must not become an HMAC secret. The message never quotes it."""


class Secret:
    """The key. Its ``repr`` shows only the key id.

    :ivar key_id: first 16 characters of base64url(HMAC-SHA256(secret, "eve key id/1")).
    """

    __slots__ = ("_mac", "key_id")

    algorithm: str = HMAC_SHA256
    key_id: str

    def __init__(self, secret: bytes) -> None:
        """Take the secret's bytes as they are.

        :raises NotASecret: empty, or a PEM or JWK(S) document. A public key used as a secret would let everyone
            who can read it sign (the "algorithm confusion" attack of RFC 8725 section 2.1).
        """
        if not secret:
            raise NotASecret("the signing secret is empty")
        if is_key_document(secret):
            raise NotASecret("the signing secret is a PEM or JWKS document; those are never HMAC secrets")
        self._mac = Mac(secret)
        self.key_id = base64.urlsafe_b64encode(self._mac.digest(_KEY_ID_LABEL))[:16].decode("ascii")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id}>"

    def tag(self, content_hash: str) -> str:
        """``hmac-`` + hex over the UTF-8 bytes of ``content_hash``."""
        return HMAC_TAG + self._mac.hexdigest(content_hash.encode("utf-8"))

    def verify(self, content_hash: str, signature: str) -> bool:
        """Whether this secret made ``signature``; in constant time, and False for anything that is not ASCII."""
        try:
            return hmac.compare_digest(self.tag(content_hash), signature)
        except (UnicodeEncodeError, TypeError, AttributeError):
            return False


def is_key_document(text: bytes) -> bool:
    """Whether ``text`` is PEM, or JSON that holds a JWK or a set of them (RFC 7517)."""
    if b"-----BEGIN " in text:
        return True
    body = text.removeprefix(b"\xef\xbb\xbf").strip()
    if not body.startswith((b"{", b"[")):
        return False
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return any(_is_jwk(member) for member in (document if isinstance(document, list) else [document]))


def _is_jwk(document: Any) -> bool:
    return isinstance(document, dict) and ("kty" in document or "keys" in document)


def secret_bytes(text: str) -> bytes:
    """The bytes of a secret that came as text: UTF-8, undecodable bytes of the environment given back as they were.

    :raises NotASecret: the text has lone surrogates and thus no bytes.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise NotASecret("the signing secret is not valid text") from error


def secret_from_file(content: bytes) -> bytes:
    """The secret in a key file: one line end at its end is the editor's, not the secret's."""
    return content.removesuffix(b"\n").removesuffix(b"\r")
