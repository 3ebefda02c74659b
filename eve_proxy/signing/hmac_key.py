"""HMAC-SHA256 behind the ports: what ``JWT_SECRET_KEY`` gives the daemon."""

from __future__ import annotations

from zope.interface import implementer

from eve_proxy.interfaces import ISigner, IVerifier
from eve_proxy.signing.secret import HMAC_SHA256, SHORTEST, Secret


@implementer(ISigner)
class HmacSigner(Secret):
    """Signs with a shared secret.

    :raises NotASecret: see ``Secret``.
    """

    __slots__ = ()
    algorithm: str = HMAC_SHA256

    def sign(self, content_hash: str) -> str:
        """``hmac-`` + hex over the UTF-8 bytes of ``content_hash``."""
        return self.tag(content_hash)


@implementer(IVerifier)
class HmacVerifier(Secret):
    """Checks what ``HmacSigner`` made with the same secret.

    :raises NotASecret: see ``Secret``.
    """

    __slots__ = ()
    algorithm: str = HMAC_SHA256

    def verify(self, content_hash: str, signature: str) -> bool:
        """True only if this secret made ``signature`` over ``content_hash``. Never raises."""
        return super().verify(content_hash, signature)


def short_secret_warning(secret: bytes) -> str | None:
    """A line for the operator when the secret is shorter than RFC 7518 section 3.2 asks for, else None."""
    if len(secret) >= SHORTEST:
        return None
    return (
        f"the signing secret has {len(secret)} bytes; use at least {SHORTEST} random ones "
        "(RFC 7518 section 3.2), for example: openssl rand -hex 32"
    )
