"""Documents of public keys: what is read, what is skipped, and what makes a document unusable."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.key_document import NotAPublicKey, conflicting, jwks, public_keys
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from tests.fakes.keys import ed25519, p256, private_pem

ED, EC = Ed25519Signer(ed25519()), P256Signer(p256())
# RFC 8037 appendix A.2 and its kid of appendix A.3; RFC 7517 appendix A.1.
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_7517: dict[str, Any] = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use": "enc",
    "kid": "1",
}
RSA = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"}


def ids(document: bytes) -> list[str]:
    return [key.key_id for key in public_keys(document)]


def dumped(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_what_is_written_is_read() -> None:
    """The published JWKS, and PEM files one after the other, give back the same keys."""
    assert ids(jwks([ED, EC])) == [ED.key_id, EC.key_id]
    assert ids(ED.pem() + b"# a remark\n" + EC.pem()) == [ED.key_id, EC.key_id]
    assert ids(b"\xef\xbb\xbf" + json.dumps(EC.jwk()).encode()) == [EC.key_id]


def test_published_document() -> None:
    """Key ids, uses and algorithms stand in the JWKS as other libraries expect them."""
    first, second = json.loads(jwks([ED, EC]))["keys"]
    assert (first["kid"], first["kty"], first["crv"], first["alg"]) == (ED.key_id, "OKP", "Ed25519", "EdDSA")
    assert (second["kid"], second["kty"], second["crv"], second["alg"]) == (EC.key_id, "EC", "P-256", "ES256")
    assert {first["use"], second["use"]} == {"sig"}
    assert "d" not in first | second


def test_keys_of_the_standards() -> None:
    """The examples of RFC 8037 and RFC 7517 are read; the id is computed, whatever the document calls the key."""
    assert len(ids(dumped(RFC_8037, RFC_7517 | {"use": "sig"}))) == 2
    assert ids(dumped(RFC_8037 | {"kid": EC.key_id})) == ids(dumped(RFC_8037))


@pytest.mark.parametrize("other", [RSA, RFC_7517, {"kty": "EC", "crv": "P-384"}, {"kty": "future"}, {}])
def test_other_keys_are_skipped(other: dict[str, Any]) -> None:
    """A set that also holds keys of other types or for other uses serves; without a key of ours it does not."""
    assert ids(dumped(other, ED.jwk())) == [ED.key_id]
    with pytest.raises(NotAPublicKey, match="no Ed25519 or P-256 public key"):
        public_keys(dumped(other))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "neither PEM nor JSON"),
        (b"text", "neither PEM nor JSON"),
        (b"[]", "a key is not an object"),
        (b'{"keys":{}}', "not a list"),
        (b'{"keys":[1]}', "a key is not an object"),
        (json.dumps({"keys": [RSA] * 300}).encode(), "at most 256"),
        (dumped(ED.jwk(), ED.jwk()), "two keys with one kid"),
        (dumped(ED.jwk() | {"kid": "a"}, EC.jwk() | {"kid": "a"}), "two keys with one kid"),
        (dumped(ED.jwk(), EC.jwk() | {"kid": ED.key_id}), "two keys with one kid"),
        (dumped(RSA | {"kid": ED.key_id}, ED.jwk()), "two keys with one kid"),
        (dumped(ED.jwk() | {"kid": 5}), "not a text"),
        (dumped(ED.jwk() | {"d": "AA"}), "a private key"),
        (dumped(ED.jwk(), {"kty": "oct", "k": "AA"}), "a symmetric key"),
        (dumped(ED.jwk() | {"alg": "HS256"}), "alg"),
        (dumped(ED.jwk() | {"alg": "none"}), "alg"),
        (dumped(EC.jwk() | {"alg": "EdDSA"}), "alg"),
        (dumped(ED.jwk() | {"x": "AA"}), "not well formed"),
        (dumped(ED.jwk() | {"x": ED.jwk()["x"] + "="}), "not well formed"),
        (dumped(ED.jwk() | {"x": None}), "not well formed"),
        (dumped(EC.jwk() | {"y": EC.jwk()["x"]}), "not well formed"),
        (private_pem(ed25519()), "a private key"),
        (ED.pem() + private_pem(p256()), "a private key"),
        (b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "CERTIFICATE"),
        (b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", "cannot be read"),
        (ED.pem()[:40], "no Ed25519 or P-256 public key"),
    ],
)
def test_unusable(document: bytes, message: str) -> None:
    """What is not a document of public keys, or holds what must not be in one, gives no key at all."""
    with pytest.raises(NotAPublicKey, match=message):
        public_keys(document)


def test_pem_of_another_type() -> None:
    """A certificate cannot be verified with an RSA key, so it is refused and not skipped."""
    public = rsa.generate_private_key(65537, 2048).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(NotAPublicKey, match="neither Ed25519 nor"):
        public_keys(pem)


MEMBERS = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "kid", "use", "alg", "d"]),
    st.sampled_from(["OKP", "EC", "Ed25519", "P-256", "sig", "EdDSA", ED.jwk()["x"]]) | st.none() | st.lists(st.text()),
)


@given(st.binary() | st.lists(MEMBERS).map(lambda keys: dumped(*keys)))
def test_any_bytes(document: bytes) -> None:
    """Whatever stands in the file, it gives keys or a reason."""
    with suppress(NotAPublicKey):
        assert public_keys(document)


def test_conflicting() -> None:
    """One key twice is one key; two keys that share an id are a conflict."""
    assert not conflicting([ED, *public_keys(ED.pem()), EC])
    twin = P256Signer(p256(2))
    twin.key_id = ED.key_id
    assert conflicting([ED, twin])
