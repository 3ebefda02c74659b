"""What a key file may hold, and what is said about one that may not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from eve_proxy.signing.private_key import Ed25519Signer, NotASigningKey, P256Signer, load_signer
from eve_proxy.signing.public_key import ECDSA_P256_TAG, P256_ORDER
from tests.fakes.keys import ed25519, p256, private_pem

OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def test_both_kinds() -> None:
    """The file's content decides which algorithm signs."""
    assert isinstance(load_signer(private_pem(ed25519())), Ed25519Signer)
    assert isinstance(load_signer(private_pem(p256())), P256Signer)
    sec1 = p256().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert load_signer(b"-- a comment\r\n" + sec1).key_id == P256Signer(p256()).key_id


@OPENSSL
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["genpkey", "-algorithm", "ed25519"], Ed25519Signer),
        (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], P256Signer),
        (["ecparam", "-name", "prime256v1", "-genkey"], P256Signer),
    ],
    ids=["ed25519", "p256", "ecparam"],
)
def test_keys_of_openssl(command: list[str], kind: type) -> None:
    """A key that openssl made is as good as one of ours, parameters in front included."""
    pem = subprocess.run(["openssl", *command], capture_output=True, check=True).stdout
    assert isinstance(load_signer(pem), kind)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no private key"),
        (b"a shared secret", "no private key"),
        (Ed25519Signer(ed25519()).pem(), "no private key"),
        (private_pem(ed25519()) * 2, "more than one"),
        (private_pem(ed25519())[:60], "no private key"),
        (private_pem(rsa.generate_private_key(65537, 2048)), "neither Ed25519 nor"),  # type: ignore[arg-type]
        (private_pem(ec.generate_private_key(ec.SECP384R1())), "neither Ed25519 nor"),
        (private_pem(Ed448PrivateKey.generate()), "neither Ed25519 nor"),  # type: ignore[arg-type]
        (
            ed25519().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")),
            "encrypted",
        ),
    ],
    ids=["empty", "secret", "public", "two", "torn", "rsa", "p384", "ed448", "encrypted"],
)
def test_other_content(content: bytes, message: str) -> None:
    """A file that cannot sign is refused with a text that says what it holds, and never quotes it."""
    with pytest.raises(NotASigningKey, match=message) as raised:
        load_signer(content)
    assert "BEGIN" not in str(raised.value)
    assert "shared secret" not in str(raised.value)


def test_s_is_always_the_smaller() -> None:
    """Of the two signatures that hold, the one that verifiers accept is made, each time."""
    signer = P256Signer(p256())
    for number in range(64):
        signature = signer.sign(f"sha256-{number:064x}")
        _, s = decode_dss_signature(bytes.fromhex(signature[len(ECDSA_P256_TAG) :]))
        assert 2 * s < P256_ORDER
        assert signer.verify(f"sha256-{number:064x}", signature)


def test_private_half_is_not_shown(tmp_path: Path) -> None:
    """A signer in a log or a traceback is its key id."""
    signer = Ed25519Signer(ed25519())
    assert repr(signer) == f"<Ed25519Signer {signer.key_id}>"
