"""Verifying a certificate offline. Imports neither Twisted nor zope, so an auditor needs only this half.

**The key's type decides the algorithm, never the certificate.** A certificate that names another algorithm, or
another key, is not verified by this key, whatever its signature says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from eve_proxy.signing.canonical import content_hash
from eve_proxy.signing.key_document import NotAPublicKey, conflicting, public_keys
from eve_proxy.signing.secret import NotASecret, Secret, is_key_document, secret_bytes, secret_from_file
from eve_proxy.signing.spelling import EDITED, Unacceptable, arrange, read_header

UNTRUSTED_KEY: Final = "untrusted-key"
SECRET_VARIABLE: Final = "JWT_SECRET_KEY"  # noqa: S105 - the name, not the secret
SECRET_FILE_VARIABLE: Final = "JWT_SECRET_KEY_FILE"  # noqa: S105 - the name, not the secret

KeyMaterial: TypeAlias = str | bytes


class Key(Protocol):
    """What can check signatures (the members of ``IVerifier``, without zope)."""

    @property
    def algorithm(self) -> str:
        """The only ``algorithm`` it can have made."""

    @property
    def key_id(self) -> str:
        """16 characters."""

    def verify(self, content_hash: str, signature: str) -> bool:
        """Whether it made ``signature``. Never raises."""


def verify_certificate(cert: Any, key: KeyMaterial | Sequence[KeyMaterial] | None = None) -> bool:
    """Whether ``cert`` is exactly what the holder of a trusted key signed. Never raises, on any input.

    :param cert: the certificate as a dict (``json.loads`` of the header or of a journal line), or the JSON text
        itself as str or bytes; then it must also have the one spelling that we write.
    :param key: a shared secret, a public key in PEM, a JWK or JWKS, or several of them; the content of
        ``JWT_SECRET_KEY`` (or of the file that ``JWT_SECRET_KEY_FILE`` names) by default. A PEM or JWKS text is never
        taken as a shared secret.
    """
    try:
        check_fields(_fields(cert), keys_from(key))
    except Unacceptable:
        return False
    return True


def check_fields(fields: dict[str, Any], keys: Sequence[Key]) -> None:
    """Check hash and signature of a certificate that ``arrange`` has put in order.

    :raises Unacceptable: with the fault ``edited``, or ``untrusted-key`` when the hash is right but no key of
        ``keys`` is the one that it names.
    """
    check_hash(fields)
    for key in keys:
        if key.key_id == fields["key_id"] and key.algorithm == fields["algorithm"]:
            if key.verify(fields["content_hash"], fields["signature"]):
                return
            raise Unacceptable(EDITED, "the signature is not the one this key makes")
    raise Unacceptable(UNTRUSTED_KEY, "signed with a key that is not among the trusted keys")


def check_hash(fields: dict[str, Any]) -> None:
    """Check that the content hash is that of the other fields; says nothing about who wrote them.

    :raises Unacceptable: it is not.
    """
    try:
        actual = content_hash(fields)
    except TypeError as error:  # a lone surrogate: orjson's error for text that has no UTF-8
        raise Unacceptable(EDITED, "not a certificate: a text is not Unicode") from error
    if actual != fields["content_hash"]:
        raise Unacceptable(EDITED, "a value was changed: the content hash does not match")


def keys_from(material: Any, environ: Mapping[str, str] | None = None) -> tuple[Key, ...]:
    """The keys in what a caller gave, or in the environment. What is not a key gives none: then nothing verifies."""
    if material is None:
        material = secret_from_environment(os.environ if environ is None else environ)
    kind = type(material)
    if issubclass(kind, list):
        members = list.__iter__(material)
    elif issubclass(kind, tuple):
        members = tuple.__iter__(material)
    else:
        members = iter((material,))
    keys: list[Key] = []
    for member in members:
        text = _plain_text(member)
        if text is not None:
            try:
                keys.extend(trusted_keys(secret_bytes(text) if isinstance(text, str) else text))
            except (NotASecret, NotAPublicKey):
                continue
    return () if conflicting(keys) else tuple(keys)


def trusted_keys(content: bytes) -> tuple[Key, ...]:
    """The keys in a PEM, JWK or JWKS document, or else the one that ``content`` is as a shared secret.

    :raises NotAPublicKey: a document without a usable public key. It is never taken as a secret.
    :raises NotASecret: empty.
    """
    return public_keys(content) if is_key_document(content) else (Secret(content),)


def secret_from_environment(environ: Mapping[str, str]) -> bytes | None:
    """The secret that the guide's variables give; None when they give none or the file cannot be read."""
    try:
        secret = environ.get(SECRET_VARIABLE)
        if secret:
            return secret_bytes(secret)
        path = environ.get(SECRET_FILE_VARIABLE)
        return secret_from_file(Path(path).read_bytes()) if path else None
    except (OSError, ValueError):  # unreadable, a NUL in the path, NotASecret
        return None


def _fields(cert: Any) -> dict[str, Any]:
    text = _plain_text(cert)
    if text is None:
        return arrange(cert)
    if isinstance(text, str):
        try:
            text = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Unacceptable(EDITED, "not Unicode") from error
    return read_header(text)


def _plain_text(value: Any) -> str | bytes | None:
    """``value`` as exactly str or bytes, None when it is neither.

    No method of the value itself is called, nor is it asked for its type (``isinstance`` does): it could raise.
    """
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    return bytes.__add__(b"", value) if issubclass(kind, bytes) else None
