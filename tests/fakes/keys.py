"""Key pairs for tests, the same each time."""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@cache
def ed25519(number: int = 1) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"key %d" % number).digest())


@cache
def p256(number: int = 1) -> ec.EllipticCurvePrivateKey:
    seed = hashlib.sha256(b"key %d" % number).digest()[:31]
    return ec.derive_private_key(int.from_bytes(seed, "big"), ec.SECP256R1())


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
