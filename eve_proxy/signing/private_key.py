"""Private keys behind the ports: what ``EVE_PROXY_SIGNING_KEY_FILE`` gives the daemon."""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from zope.interface import implementer

from eve_proxy.interfaces import ISigner, IVerifier
from eve_proxy.signing.public_key import ECDSA_P256_TAG, ED25519_TAG, P256_ORDER, Ed25519Public, P256Public

_WANTED: Final = "make one with: eve-proxy keygen, or openssl genpkey -algorithm ed25519"


class NotASigningKey(ValueError):
    """Content of a key file that cannot sign. The message never quotes it."""


def _ecdsa() -> ec.ECDSA:
    """Deterministic nonces (RFC 6979) where OpenSSL has them (3.2): no random number can betray the key."""
    try:
        return ec.ECDSA(SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(SHA256())


_ECDSA: Final = _ecdsa()


@implementer(ISigner)
class Ed25519Signer(Ed25519Public):
    """Signs with an Ed25519 private key."""

    __slots__ = ("_private",)

    def __init__(self, private: Ed25519PrivateKey) -> None:
        super().__init__(private.public_key())
        self._private = private

    def sign(self, content_hash: str) -> str:
        """``ed25519-`` + hex over the UTF-8 bytes of ``content_hash``."""
        return ED25519_TAG + self._private.sign(content_hash.encode("utf-8")).hex()


@implementer(ISigner)
class P256Signer(P256Public):
    """Signs with a private key on P-256."""

    __slots__ = ("_private",)

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        """Take a key that is known to be on P-256."""
        super().__init__(private.public_key())
        self._private = private

    def sign(self, content_hash: str) -> str:
        """``ecdsa-p256-`` + hex of the DER signature, ``s`` the smaller of its two values."""
        raw = self._private.sign(content_hash.encode("utf-8"), _ECDSA)
        r, s = decode_dss_signature(raw)
        if 2 * s > P256_ORDER:
            raw = encode_dss_signature(r, P256_ORDER - s)
        return ECDSA_P256_TAG + raw.hex()


@implementer(IVerifier)
class Ed25519Verifier(Ed25519Public):
    """Checks what ``Ed25519Signer`` made."""

    __slots__ = ()


@implementer(IVerifier)
class P256Verifier(P256Public):
    """Checks what ``P256Signer`` made."""

    __slots__ = ()


AsymmetricSigner: TypeAlias = Ed25519Signer | P256Signer


def load_signer(pem: bytes) -> AsymmetricSigner:
    """The signer for the private key in a file: PKCS#8 or SEC 1, PEM, unencrypted, Ed25519 or P-256.

    :raises NotASigningKey: it holds something else; the message says what, and what to do.
    """
    if pem.count(b"PRIVATE KEY-----") > 2:  # one in its BEGIN, one in its END
        raise NotASigningKey("more than one private key in the file; leave one")
    try:
        private = load_pem_private_key(pem, password=None)
    except TypeError as error:  # the library's word for a missing password
        raise NotASigningKey("the private key is encrypted; give it without a password, readable by us only") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotASigningKey(f"no private key in PEM; {_WANTED}") from error
    if isinstance(private, Ed25519PrivateKey):
        return Ed25519Signer(private)
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return P256Signer(private)
    raise NotASigningKey(f"the private key is neither Ed25519 nor on the curve P-256; {_WANTED}")
