"""Shared secrets: what may be one, and what never shows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from eve_proxy.signing.secret import NotASecret, Secret, is_key_document, secret_bytes, secret_from_file

PEM = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
DOCUMENTS = [
    PEM,
    b"\n  " + PEM,
    PEM.replace(b"\n", b"\r\n"),
    b"Bag Attributes\n" + PEM,
    json.dumps(JWK).encode(),
    json.dumps({"keys": [JWK]}, indent=2).encode(),
    b"\xef\xbb\xbf" + json.dumps({"keys": [JWK]}).encode(),
    json.dumps([JWK]).encode(),
]


def test_key_id() -> None:
    """An auditor computes the key id from the secret with two calls of the standard library."""
    digest = hmac.digest(b"s" * 32, b"eve key id/1", "sha256")
    assert Secret(b"s" * 32).key_id == base64.urlsafe_b64encode(digest).decode()[:16]


def test_tag_and_verify() -> None:
    """Only the same secret over the same hash verifies."""
    secret = Secret(b"s" * 32)
    tag = secret.tag("sha256-00")
    assert tag == "hmac-" + hmac.new(b"s" * 32, b"sha256-00", hashlib.sha256).hexdigest()
    assert secret.verify("sha256-00", tag)
    assert not secret.verify("sha256-01", tag)
    assert not Secret(b"t" * 32).verify("sha256-00", tag)


@pytest.mark.parametrize("signature", ["é", "\ud800", None, 5, b"hmac-"])
def test_verify_never_raises(signature: object) -> None:
    """A signature of any type and text is simply wrong."""
    assert not Secret(b"s" * 32).verify("sha256-00", signature)  # type: ignore[arg-type]
    assert not Secret(b"s" * 32).verify("é", "hmac-")


def test_repr_shows_no_secret() -> None:
    """A secret never gets into a log by way of repr."""
    secret = Secret(b"correct horse battery staple")
    assert "horse" not in repr(secret)
    assert secret.key_id in repr(secret)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_public_keys_are_no_secrets(document: bytes) -> None:
    """Someone who knows the public key cannot sign with it as if it were a secret."""
    assert is_key_document(document)
    with pytest.raises(NotASecret) as caught:
        Secret(document)
    assert document.decode("utf-8", "replace")[20:40] not in str(caught.value)


@pytest.mark.parametrize("text", [b"{", b"{}", b"[1]", b'{"kty"', b"plain", b"[" * 5000])
def test_other_text_is_a_secret(text: bytes) -> None:
    """A secret that merely looks like JSON is still a secret."""
    assert not is_key_document(text)
    Secret(text)


def test_empty_secret_is_refused() -> None:
    """An empty variable is not a key."""
    with pytest.raises(NotASecret):
        Secret(b"")


def test_secret_bytes() -> None:
    """A secret that is no UTF-8 survives the environment; text without bytes is refused."""
    assert secret_bytes(b"\xff\xfeab".decode("utf-8", "surrogateescape")) == b"\xff\xfeab"
    with pytest.raises(NotASecret):
        secret_bytes("\ud800")


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"abc\n", b"abc"), (b"abc\r\n", b"abc"), (b"abc", b"abc"), (b"abc\n\n", b"abc\n"), (b" abc \n", b" abc ")],
)
def test_secret_from_file(content: bytes, secret: bytes) -> None:
    """The newline an editor adds does not change the key."""
    assert secret_from_file(content) == secret
