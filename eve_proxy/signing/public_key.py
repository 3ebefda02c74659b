"""Public keys: what an auditor needs, and all he needs, to check signatures he could not have made.

Imports neither Twisted nor zope. **The key's type decides the algorithm**: an Ed25519 key checks Ed25519 and nothing
else, whatever a certificate says of itself.

A signature has one spelling, as a line has: lower-case hex, and for ECDSA strict DER (RFC 3279 section 2.2.3) with the
smaller of the two values of ``s`` that both verify. Otherwise anyone could give a line another signature that holds.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519: Final = "Ed25519"
ECDSA_P256: Final = "ECDSA-P256-SHA256"
ED25519_TAG: Final = "ed25519-"
ECDSA_P256_TAG: Final = "ecdsa-p256-"

# The order of P-256's base point (SEC 2 version 2, section 2.4.2).
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_BYTES: Final = 32
_ECDSA: Final = ec.ECDSA(SHA256())


class Ed25519Public:
    """An Ed25519 key (RFC 8032).

    :ivar key_id: first 16 characters of base64url(SHA-256(SPKI)).
    """

    __slots__ = ("_public", "key_id")

    algorithm: str = ED25519
    key_id: str

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public
        self.key_id = key_id_of(public)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id}>"

    def verify(self, content_hash: str, signature: str) -> bool:
        """Whether this key made ``signature`` over the UTF-8 bytes of ``content_hash``. Never raises."""
        raw, message = _untagged(signature, ED25519_TAG), _encoded(content_hash)
        if raw is None or message is None:
            return False
        try:
            self._public.verify(raw, message)
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """The key as RFC 8037 spells it, with its id."""
        x = base64url(self._public.public_bytes_raw())
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.key_id, "use": "sig", "alg": "EdDSA"}

    def pem(self) -> bytes:
        """The key as ``openssl pkey -pubin`` reads it."""
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def raw(self) -> bytes:
        """The key's 32 bytes (RFC 8032 section 5.1.5)."""
        return self._public.public_bytes_raw()


class P256Public:
    """An ECDSA key on the curve P-256, for signatures over SHA-256 (FIPS 186-5).

    :ivar key_id: first 16 characters of base64url(SHA-256(SPKI)).
    """

    __slots__ = ("_public", "key_id")

    algorithm: str = ECDSA_P256
    key_id: str

    def __init__(self, public: ec.EllipticCurvePublicKey) -> None:
        """Take a key that is known to be on P-256."""
        self._public = public
        self.key_id = key_id_of(public)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id}>"

    def verify(self, content_hash: str, signature: str) -> bool:
        """Whether this key made ``signature`` over the UTF-8 bytes of ``content_hash``. Never raises."""
        raw, message = _untagged(signature, ECDSA_P256_TAG), _encoded(content_hash)
        if raw is None or message is None:
            return False
        try:
            r, s = decode_dss_signature(raw)
            if 2 * s > P256_ORDER or encode_dss_signature(r, s) != raw:
                return False
            self._public.verify(raw, message, _ECDSA)
        except (ValueError, InvalidSignature):
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """The key as RFC 7518 section 6.2 spells it, with its id."""
        numbers = self._public.public_numbers()
        x, y = (base64url(number.to_bytes(P256_BYTES, "big")) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.key_id, "use": "sig", "alg": "ES256"}

    def pem(self) -> bytes:
        """The key as ``openssl pkey -pubin`` reads it."""
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def spki(self) -> bytes:
        """The key as DER (RFC 5480 section 2)."""
        return self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


PublicKey: TypeAlias = Ed25519Public | P256Public


def key_id_of(public: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> str:
    """First 16 characters of base64url(SHA-256(SPKI)), the SPKI as DER with an uncompressed point (evidence.md)."""
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64url(hashlib.sha256(spki).digest())[:16]


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _untagged(signature: Any, tag: str) -> bytes | None:
    """The bytes behind ``tag``; None for what is not lower-case hex, which ``bytes.fromhex`` does not mind."""
    if not isinstance(signature, str) or not signature.startswith(tag):
        return None
    digits = signature[len(tag) :]
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    return raw if raw.hex() == digits else None


def _encoded(text: Any) -> bytes | None:
    try:
        return text.encode("utf-8") if isinstance(text, str) else None
    except UnicodeEncodeError:  # a lone surrogate: nobody can have signed it
        return None
