"""What every ``ISigner`` and its ``IVerifier`` must do. A new key type is one more row."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from eve_proxy.interfaces import ISigner, IVerifier
from eve_proxy.signing.hmac_key import HmacSigner, HmacVerifier
from eve_proxy.signing.private_key import Ed25519Signer, Ed25519Verifier, P256Signer, P256Verifier
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import check_fields
from tests.fakes.journal import draft, link
from tests.fakes.keys import ed25519, p256

# name: (signer of key n, verifier of key n)
PAIRS: dict[str, tuple[Callable[[int], ISigner], Callable[[int], IVerifier]]] = {
    "hmac": (lambda n: HmacSigner(b"key %d" % n * 8), lambda n: HmacVerifier(b"key %d" % n * 8)),
    "ed25519": (lambda n: Ed25519Signer(ed25519(n)), lambda n: Ed25519Verifier(ed25519(n).public_key())),
    "p256": (lambda n: P256Signer(p256(n)), lambda n: P256Verifier(p256(n).public_key())),
}
TAGS = {"HMAC-SHA256": "hmac-", "Ed25519": "ed25519-", "ECDSA-P256-SHA256": "ecdsa-p256-"}
HASH = "sha256-" + "ab" * 32

pairs = pytest.mark.parametrize("name", PAIRS)


@pairs
def test_provides_its_port(name: str) -> None:
    """A signer can be plugged in where the ports are asked for."""
    signer, verifier = PAIRS[name]
    assert verifyObject(ISigner, signer(1))
    assert verifyObject(IVerifier, verifier(1))


@pairs
def test_names_itself(name: str) -> None:
    """Algorithm, tag and key id are those of the document, and the same on both sides."""
    signer, verifier = PAIRS[name][0](1), PAIRS[name][1](1)
    assert (signer.algorithm, signer.key_id) == (verifier.algorithm, verifier.key_id)
    assert signer.sign(HASH).startswith(TAGS[signer.algorithm])
    assert len(signer.key_id) == 16
    assert set(signer.key_id) <= set(string.ascii_letters + string.digits + "-_")
    assert PAIRS[name][0](2).key_id != signer.key_id


@pairs
def test_verifies_its_own_and_nothing_else(name: str) -> None:
    """A signature holds for one key and one hash."""
    signer, verifier = PAIRS[name]
    signature = signer(1).sign(HASH)
    assert verifier(1).verify(HASH, signature)
    assert not verifier(2).verify(HASH, signature)
    assert not verifier(1).verify(HASH[:-1] + "0", signature)
    assert not verifier(1).verify(HASH, signature[:-1] + ("0" if signature[-1] != "0" else "1"))
    assert not verifier(1).verify(HASH, signature.upper())


@pairs
@given(content_hash=st.text(), signature=st.text(st.characters()))
def test_verify_never_raises(name: str, content_hash: str, signature: str) -> None:
    """Any text at all is just a wrong signature."""
    assert PAIRS[name][1](1).verify(content_hash, signature) is False


@pairs
def test_certificates_verify(name: str) -> None:
    """What it seals, the offline verifier accepts with its key."""
    signer, verifier = PAIRS[name]
    check_fields(seal(draft(), link(), signer(1)).to_dict(), [verifier(1)])


@pairs
def test_repr_is_safe_to_log(name: str) -> None:
    """Nothing of the key shows in a traceback or a log."""
    for each in (*PAIRS[name],):
        assert "key 1" not in repr(each(1))
