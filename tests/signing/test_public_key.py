"""Public keys: their ids, their spellings, and the one spelling of a signature."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.private_key import AsymmetricSigner, Ed25519Signer, P256Signer
from eve_proxy.signing.public_key import ECDSA_P256_TAG, P256_ORDER, Ed25519Public, P256Public
from tests.fakes.keys import ed25519, p256

HASH = "sha256-" + "ab" * 32
SIGNERS = [Ed25519Signer(ed25519()), P256Signer(p256())]
signers = pytest.mark.parametrize("signer", SIGNERS, ids=["ed25519", "p256"])


@signers
def test_key_id_is_that_of_the_document(signer: AsymmetricSigner) -> None:
    """The id can be had with openssl and a digest: 16 characters of the SPKI's base64url SHA-256."""
    der = base64.b64decode(b"".join(signer.pem().splitlines()[1:-1]))
    assert signer.key_id == base64.urlsafe_b64encode(hashlib.sha256(der).digest())[:16].decode()


@signers
@given(st.data())
def test_any_single_character(signer: AsymmetricSigner, data: st.DataObject) -> None:
    """Change any one character of a signature, capitals included, and it no longer holds."""
    good = signer.sign(HASH)
    position = data.draw(st.integers(0, len(good) - 1))
    character = data.draw(st.sampled_from("0123456789abcdefABCDEF -_\n") | st.characters())
    changed = good[:position] + character + good[position + 1 :]
    assert signer.verify(HASH, changed) is (changed == good)


@signers
@pytest.mark.parametrize(
    "change", [str.upper, lambda s: s + " ", lambda s: s + "00", lambda s: s[:-2], lambda s: s[8:]]
)
def test_other_spellings_of_a_signature(signer: AsymmetricSigner, change: object) -> None:
    """Capitals, spaces, more or fewer bytes and a missing tag are all refused."""
    assert not signer.verify(HASH, change(signer.sign(HASH)))  # type: ignore[operator]


def test_other_value_of_s() -> None:
    """ECDSA allows a second signature that anyone can compute from the first; it is refused."""
    key = P256Signer(p256())
    r, s = decode_dss_signature(bytes.fromhex(key.sign(HASH)[len(ECDSA_P256_TAG) :]))
    assert key.verify(HASH, ECDSA_P256_TAG + encode_dss_signature(r, s).hex())
    assert not key.verify(HASH, ECDSA_P256_TAG + encode_dss_signature(r, P256_ORDER - s).hex())


def test_loose_der() -> None:
    """DER with a longer form of a length is refused, though lenient readers take it."""
    key = P256Signer(p256())
    raw = bytes.fromhex(key.sign(HASH)[len(ECDSA_P256_TAG) :])
    loose = raw[:1] + b"\x81" + raw[1:]
    assert not key.verify(HASH, ECDSA_P256_TAG + loose.hex())


@signers
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_agrees(signer: AsymmetricSigner, tmp_path: Path) -> None:
    """Somebody with openssl and the PEM checks a signature without any program of ours."""
    signature = signer.sign(HASH)
    (tmp_path / "key.pem").write_bytes(signer.pem())
    (tmp_path / "hash").write_text(HASH)
    (tmp_path / "signature").write_bytes(bytes.fromhex(signature.rpartition("-")[2]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "hash"]
    digest = ["-digest", "sha256"] if isinstance(signer, P256Public) else []
    run = subprocess.run([*command, *digest, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, "Verified Successfully" in run.stdout) == (0, True), run.stderr


def test_repr_names_the_key() -> None:
    """Logs show which key it is."""
    key = Ed25519Public(ed25519().public_key())
    assert repr(key) == f"<Ed25519Public {key.key_id}>"
