"""Reading and writing public keys as documents: PEM (RFC 7468), JWK and JWKS (RFC 7517). Neither Twisted nor zope.

Strict where a mistake would be dangerous: a private key, a symmetric key or two keys under one name make the whole
document unusable. Keys of other types are skipped, as RFC 7517 section 5 asks of a reader.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from eve_proxy.signing.public_key import P256_BYTES, Ed25519Public, P256Public, PublicKey, base64url

_PEM_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_ALGORITHMS: Final = {("OKP", "Ed25519"): ("EdDSA", "Ed25519"), ("EC", "P-256"): ("ES256",)}
_MOST: Final = 256


class NotAPublicKey(ValueError):
    """A document that does not give trusted public keys. The message never quotes it."""


def public_keys(document: bytes) -> tuple[PublicKey, ...]:
    """The Ed25519 and P-256 keys in a PEM file, a JWK or a JWKS; at least one.

    :raises NotAPublicKey: none, or something that must not be there.
    """
    keys = _from_pem(document) if b"-----BEGIN " in document else _from_json(document)
    if not keys:
        raise NotAPublicKey("no Ed25519 or P-256 public key in it")
    return keys


def jwks(keys: Iterable[PublicKey]) -> bytes:
    """The JWKS document of ``keys``, with a newline."""
    return orjson.dumps({"keys": [key.jwk() for key in keys]}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _from_pem(document: bytes) -> tuple[PublicKey, ...]:
    keys: list[PublicKey] = []
    for block in _PEM_BLOCK.finditer(document):
        label = block.group(1).decode("ascii")
        if label.endswith("PRIVATE KEY"):
            raise NotAPublicKey("a private key: verify with the public one (openssl pkey -pubout)")
        if label != "PUBLIC KEY":
            raise NotAPublicKey(f"a PEM block {label}; a public key is in a block PUBLIC KEY")
        try:
            public = load_pem_public_key(block.group())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise NotAPublicKey("a PUBLIC KEY that cannot be read") from error
        keys.append(_key(public))
    return tuple(keys)


def _key(public: Any) -> PublicKey:
    if isinstance(public, Ed25519PublicKey):
        return Ed25519Public(public)
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return P256Public(public)
    raise NotAPublicKey("a public key that is neither Ed25519 nor on the curve P-256")


def _from_json(document: bytes) -> tuple[PublicKey, ...]:
    try:
        value = orjson.loads(document.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise NotAPublicKey("neither PEM nor JSON") from error
    members = value.get("keys") if isinstance(value, dict) and "keys" in value else [value]
    if not isinstance(members, list) or len(members) > _MOST:
        raise NotAPublicKey("not a JWKS: keys is not a list of at most 256")
    names: set[str] = set()
    keys: list[PublicKey] = []
    for member in members:
        if not isinstance(member, dict):
            raise NotAPublicKey("not a JWKS: a key is not an object")
        key = _from_jwk(member)
        # A document that gives one name to two keys leaves it to each reader which of them is meant.
        _claim(names, member.get("kid"), None if key is None else key.key_id)
        if key is not None:
            keys.append(key)
    return tuple(keys)


def _claim(names: set[str], kid: Any, computed: str | None) -> None:
    if kid is not None and not isinstance(kid, str):
        raise NotAPublicKey("a kid that is not a text")
    mine = {name for name in (kid, computed) if name is not None}
    if names & mine:
        raise NotAPublicKey("two keys with one kid")
    names |= mine


def _from_jwk(jwk: dict[str, Any]) -> PublicKey | None:
    """The key, or None for one of another type or use. Its id is computed, whatever its ``kid`` says."""
    if "d" in jwk:
        raise NotAPublicKey("a private key among the public ones")
    if jwk.get("kty") == "oct":
        raise NotAPublicKey("a symmetric key among the public ones")
    curve = (jwk.get("kty"), jwk.get("crv"))
    if not all(isinstance(name, str) for name in curve) or curve not in _ALGORITHMS or jwk.get("use", "sig") != "sig":
        return None
    if jwk.get("alg", _ALGORITHMS[curve][0]) not in _ALGORITHMS[curve]:
        raise NotAPublicKey("a key whose alg is not that of its type")
    try:
        x = _coordinate(jwk, "x")
        if curve[0] == "OKP":
            return Ed25519Public(Ed25519PublicKey.from_public_bytes(x))
        y = _coordinate(jwk, "y")
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
        return P256Public(numbers.public_key())
    except ValueError as error:  # among them: a point that is not on the curve
        raise NotAPublicKey("a key that is not well formed") from error


def _coordinate(jwk: dict[str, Any], name: str) -> bytes:
    """32 bytes, in the one spelling of base64url.

    :raises ValueError: they are not.
    """
    text = jwk.get(name)
    if not isinstance(text, str) or not text.isascii():
        raise ValueError(name)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(name) from error
    if len(raw) != P256_BYTES or base64url(raw) != text:
        raise ValueError(name)
    return raw


def conflicting(keys: Sequence[Any]) -> bool:
    """Whether two different public keys share a key id: then it names neither of them."""
    seen: dict[str, bytes] = {}
    return any(seen.setdefault(key.key_id, key.pem()) != key.pem() for key in keys if hasattr(key, "pem"))
