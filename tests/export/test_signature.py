"""The bytes under exported signatures, for each kind of key."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from eve_proxy.export.signature import JOSE, jose_signature, sign
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET

TEXT = "not only ASCII: café"


def test_a_shared_secret_gives_a_mac() -> None:
    """Any program with HMAC-SHA256 gets the same bytes."""
    expected = hmac.digest(SECRET, TEXT.encode(), hashlib.sha256)
    assert sign(TEXT, HmacSigner(SECRET)) == jose_signature(TEXT, HmacSigner(SECRET)) == expected


def test_ed25519_is_raw_in_both() -> None:
    """64 bytes that the public key verifies."""
    signature = sign(TEXT, Ed25519Signer(ed25519()))
    assert signature == jose_signature(TEXT, Ed25519Signer(ed25519()))
    ed25519().public_key().verify(signature, TEXT.encode())


def test_ecdsa_is_der_and_for_jose_two_numbers() -> None:
    """64 bytes for JOSE, also when a number is short; DER elsewhere."""
    for number in range(30):
        text = f"{TEXT} {number}"
        signer = P256Signer(p256())
        p256().public_key().verify(sign(text, signer), text.encode(), ec.ECDSA(SHA256()))
        raw = jose_signature(text, signer)
        assert len(raw) == 64
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        p256().public_key().verify(der, text.encode(), ec.ECDSA(SHA256()))


def test_every_algorithm_has_a_name() -> None:
    """An algorithm that JOSE has no name for would fail in the middle of an export."""
    signers = (HmacSigner(SECRET), Ed25519Signer(ed25519()), P256Signer(p256()))
    assert [JOSE[signer.algorithm] for signer in signers] == ["HS256", "EdDSA", "ES256"]
