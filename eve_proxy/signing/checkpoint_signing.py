"""Signing checkpoints, the daemon's half; reading and checking them (``signing/checkpoint.py``) needs no zope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eve_proxy.signing.checkpoint import Checkpoint
from eve_proxy.signing.note import TAGS, Note, NoteSignature, is_key_name, key_hash
from eve_proxy.signing.seal import signed

if TYPE_CHECKING:
    from eve_proxy.interfaces import ISigner


def sign_checkpoint(checkpoint: Checkpoint, signer: ISigner) -> bytes:
    """The signed note. The key's name in it is the origin.

    :raises SigningFailed: the signer raised.
    """
    return sign_note(checkpoint.text, checkpoint.origin, signer).to_bytes()


def sign_note(text: str, name: str, signer: ISigner) -> Note:
    """``text`` signed with ``signer`` under the key name ``name``.

    :param text: lines, the last one ended.
    :raises SigningFailed: the signer raised.
    """
    assert text.endswith("\n")
    assert is_key_name(name)
    raw = bytes.fromhex(signed(text, signer).removeprefix(TAGS[signer.algorithm]))
    return Note(text=text, signatures=(NoteSignature(name=name, key_hash=key_hash(name, signer), signature=raw),))
