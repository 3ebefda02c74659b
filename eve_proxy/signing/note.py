"""Signed notes: a text and the signatures under it, as transparency logs share them (c2sp.org/signed-note).

Signature types: Ed25519 (0x01) and ECDSA (0x02) as the document assigns them. A shared secret has none assigned: its
signatures are of type 0xff with a name of ours, which other verifiers pass over, as they must.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eve_proxy.signing.public_key import (
    ECDSA_P256,
    ECDSA_P256_TAG,
    ED25519,
    ED25519_TAG,
    Ed25519Public,
    P256Public,
)
from eve_proxy.signing.secret import HMAC_SHA256, HMAC_TAG
from eve_proxy.signing.verification import Key

LARGEST: Final = 1 << 20  # bytes
_MOST_SIGNATURES: Final = 100
_HASH_BYTES: Final = 4
_ED25519_TYPE: Final = b"\x01"
_HMAC_TYPE: Final = b"\xffhmac-sha256.eve-proxy\n"
_DASH: Final = "\u2014 "
# algorithm: what stands before the hex digits of its signatures in a certificate.
TAGS: Final = {ED25519: ED25519_TAG, ECDSA_P256: ECDSA_P256_TAG, HMAC_SHA256: HMAC_TAG}


class NotANote(ValueError):
    """Bytes that are not a signed note. The message says which rule of c2sp.org/signed-note they break."""


class NotSigned(ValueError):
    """A note that no trusted key has signed.

    :ivar forged: a signature claims to be by a trusted key and is not.
    """

    def __init__(self, detail: str, *, forged: bool) -> None:
        super().__init__(detail)
        self.forged = forged


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One line under a note.

    :ivar key_hash: 4 bytes; with ``name``, they say which key to try.
    """

    name: str
    key_hash: bytes
    signature: bytes

    def line(self) -> str:
        """Its spelling, newline included."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_hash + self.signature).decode('ascii')}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, its last newline included, and the signatures under it."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is written to a file."""
        return (self.text + "\n" + "".join([signature.line() for signature in self.signatures])).encode()


def parse_note(data: bytes) -> Note:
    """Read a note. Says nothing about its signatures: see ``signer_of``.

    :raises NotANote: it is not one.
    """
    if len(data) > LARGEST:
        raise NotANote("too large")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotANote("not UTF-8") from error
    if any(character < " " and character != "\n" for character in whole):
        raise NotANote("a control character")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NotANote("no signature lines behind an empty line")
    signatures = lines[:-1].split("\n")
    if len(signatures) > _MOST_SIGNATURES:
        raise NotANote("too many signatures")
    return Note(text=text + "\n", signatures=tuple(_signature(line) for line in signatures))


def _signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_key_name(name):
        raise NotANote("not a signature line")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotANote("a signature that is not base64") from error
    if len(data) <= _HASH_BYTES or base64.b64encode(data).decode("ascii") != encoded:
        raise NotANote("a signature that is not base64 of at least five bytes")
    return NoteSignature(name=name, key_hash=data[:_HASH_BYTES], signature=data[_HASH_BYTES:])


def is_key_name(name: str) -> bool:
    """Whether ``name`` can name a key: not empty, no white space, no plus."""
    return bool(name) and not any(character.isspace() or character == "+" for character in name)


def signer_of(note: Note, name: str, keys: Iterable[Key]) -> Key:
    """The trusted key that signed ``note`` under ``name``.

    :raises NotSigned: none did. A signature that claims one of them and does not verify decides against the note.
    """
    known = {key_hash(name, key): key for key in keys}
    for signature in note.signatures:
        key = known.get(signature.key_hash) if signature.name == name else None
        if key is None:
            continue  # "verifiers MUST ignore signatures from unknown keys"
        if not key.verify(note.text, TAGS[key.algorithm] + signature.signature.hex()):
            raise NotSigned("a signature under it is not the one that its key makes", forged=True)
        return key
    raise NotSigned("no trusted key signed it", forged=False)


def key_hash(name: str, key: Key) -> bytes:
    """The four bytes by which a note's signature names its key."""
    if isinstance(key, P256Public):
        return hashlib.sha256(key.spki()).digest()[:_HASH_BYTES]
    material = _ED25519_TYPE + key.raw() if isinstance(key, Ed25519Public) else _HMAC_TYPE + key.key_id.encode("ascii")
    return hashlib.sha256(name.encode() + b"\n" + material).digest()[:_HASH_BYTES]


def verifier_key(name: str, key: Key) -> str | None:
    """The text by which other verifiers are told an Ed25519 key (``name+hash+base64``); None for other keys."""
    if not isinstance(key, Ed25519Public):
        return None
    encoded = base64.b64encode(_ED25519_TYPE + key.raw()).decode("ascii")
    return f"{name}+{key_hash(name, key).hex()}+{encoded}"
