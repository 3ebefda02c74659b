"""Checkpoints: how many lines a journal had, and the root of the tree over them, signed (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eve_proxy.signing.merkle import HASH_BYTES, LARGEST
from eve_proxy.signing.note import NotANote, parse_note, signer_of
from eve_proxy.signing.verification import Key

# What stands behind the journal's file name.
SUFFIX: Final = ".checkpoint"
_ORIGIN: Final = "eve-proxy/"
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,15})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head.

    :ivar origin: which log: ``eve-proxy/`` and the journal's id. Also the name of the key that signs it.
    :ivar size: how many lines.
    :ivar root: 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def log_id(self) -> str | None:
        """The journal's id; None for a log of someone else."""
        return self.origin.removeprefix(_ORIGIN) if self.origin.startswith(_ORIGIN) else None

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"


def checkpoint_of(log_id: str, size: int, root: bytes) -> Checkpoint:
    """The checkpoint of the journal ``log_id`` at ``size`` lines."""
    return Checkpoint(origin=_ORIGIN + log_id, size=size, root=root)


def read_checkpoint(data: bytes) -> Checkpoint:
    """What a checkpoint says, whoever signed it.

    :raises NotANote: it is not a checkpoint.
    """
    note = parse_note(data)
    lines = note.text[:-1].split("\n")  # those behind the third are opaque, and signed with it
    if len(lines) < 3 or not all(lines) or not _NUMBER.match(lines[1]):
        raise NotANote("not a checkpoint: origin, size and root, one line each")
    origin, size, root = lines[:3]
    try:
        digest = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotANote("not a checkpoint: its root is not base64") from error
    if len(digest) != HASH_BYTES or base64.b64encode(digest).decode("ascii") != root or int(size) > LARGEST:
        raise NotANote("not a checkpoint: its root is not 32 bytes, or its size is too large")
    return Checkpoint(origin=origin, size=int(size), root=digest)


def open_checkpoint(data: bytes, keys: Iterable[Key]) -> tuple[Checkpoint, Key]:
    """A checkpoint that one of ``keys`` signed, and that key.

    :raises NotANote: it is not a checkpoint.
    :raises NotSigned: no key of ``keys`` signed it.
    """
    checkpoint = read_checkpoint(data)
    return checkpoint, signer_of(parse_note(data), checkpoint.origin, keys)
