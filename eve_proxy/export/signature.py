"""Signatures over whole texts, in the bytes that other formats carry.

The key is the journal's. What is signed in a certificate begins with ``sha256-``, the input of a JWS with ``eyJ``, that
of a DSSE envelope with ``DSSEv1``: no signature of one kind is ever one of another.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from eve_proxy.interfaces import ISigner
from eve_proxy.signing.public_key import ECDSA_P256, ED25519, P256_BYTES
from eve_proxy.signing.secret import HMAC_SHA256

# The names of RFC 7518 section 3.1 and RFC 8037 section 3.1; what /.well-known/jwks.json says of the same keys.
JOSE: Final = {HMAC_SHA256: "HS256", ED25519: "EdDSA", ECDSA_P256: "ES256"}


def sign(text: str, signer: ISigner) -> bytes:
    """The signature over the UTF-8 bytes of ``text``: a MAC, RFC 8032's 64 bytes, or DER (RFC 3279) of ECDSA."""
    return bytes.fromhex(signer.sign(text).rpartition("-")[2])


def jose_signature(text: str, signer: ISigner) -> bytes:
    """The same as JOSE wants it: of ECDSA, ``r`` and ``s`` with 32 bytes each (RFC 7518 section 3.4)."""
    raw = sign(text, signer)
    if signer.algorithm != ECDSA_P256:
        return raw
    return b"".join([number.to_bytes(P256_BYTES, "big") for number in decode_dss_signature(raw)])
