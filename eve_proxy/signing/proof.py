"""Proofs as files, and what they prove: that a record is in a journal, and that a journal only grew.

An inclusion proof is a ``c2sp.org/tlog-proof@v1``, with the record's line as its extra data. A consistency proof has
the form in which a ``c2sp.org/tlog-witness`` is asked to add a checkpoint. Either ends with the signed checkpoint that
it leads to.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eve_proxy.signing.checkpoint import Checkpoint, open_checkpoint
from eve_proxy.signing.merkle import HASH_BYTES, continues, includes, leaf_hash
from eve_proxy.signing.note import LARGEST
from eve_proxy.signing.spelling import EDITED, Unacceptable, read_line
from eve_proxy.signing.verification import Key, check_fields

_INCLUSION: Final = "c2sp.org/tlog-proof@v1"
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,15})\Z")
_LONGEST_PATH: Final = 128


class NotAProof(ValueError):
    """A file that is not a proof of either form."""


class NotProven(ValueError):
    """A proof that does not prove what it is for. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That ``line`` is number ``index`` of a journal.

    :ivar path: hashes from the leaf's sibling up.
    :ivar checkpoint: the signed note of the tree it is in.
    """

    line: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        """The file's content."""
        head = [_INCLUSION, f"extra {_base64(self.line)}", f"index {self.index}", *map(_base64, self.path), "", ""]
        return "\n".join(head).encode("ascii") + self.checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That the journal of ``checkpoint`` begins with the one that had ``old`` lines."""

    old: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        """The file's content."""
        return "\n".join([f"old {self.old}", *map(_base64, self.path), "", ""]).encode("ascii") + self.checkpoint


def parse_proof(data: bytes) -> InclusionProof | ConsistencyProof:
    """Read a proof of either form.

    :raises NotAProof: it is neither.
    """
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank or len(data) > LARGEST:
        raise NotAProof("no empty line between a proof and its checkpoint")
    try:
        first, *rest = head.decode("ascii").split("\n")
        if first == _INCLUSION:
            if len(rest) < 2:
                raise NotAProof("an inclusion proof without its line or index")
            line, index = _value(rest[0], "extra"), _value(rest[1], "index")
            return InclusionProof(line=_bytes(line), index=_number(index), path=_path(rest[2:]), checkpoint=checkpoint)
        return ConsistencyProof(old=_number(_value(first, "old")), path=_path(rest), checkpoint=checkpoint)
    except UnicodeDecodeError as error:
        raise NotAProof("not ASCII before its checkpoint") from error


def check_inclusion(proof: InclusionProof, keys: Sequence[Key]) -> tuple[dict[str, Any], Checkpoint]:
    """The record that is proven to be in the journal, and the checkpoint of that journal.

    :raises NotProven: the path does not lead from the line to the checkpoint, or they are of different journals.
    :raises NotSigned: no trusted key signed the checkpoint.
    :raises NotANote: the checkpoint is none.
    :raises Unacceptable: the line is not a certificate that a trusted key signed.
    """
    checkpoint, _ = open_checkpoint(proof.checkpoint, keys)
    if not includes(checkpoint.root, checkpoint.size, proof.index, leaf_hash(proof.line), proof.path):
        raise NotProven(
            f"the path does not lead from the line to the root of the checkpoint of {checkpoint.size} lines"
        )
    fields = read_line(proof.line)
    check_fields(fields, keys)
    log = fields["log"]
    if log is None or log["id"] != checkpoint.log_id or log["seq"] != proof.index:
        raise Unacceptable(EDITED, "the record says that it has another place, or another journal")
    return fields, checkpoint


def check_consistency(proof: ConsistencyProof, old: bytes, keys: Sequence[Key]) -> tuple[Checkpoint, Checkpoint]:
    """The two checkpoints, of which the second is proven to continue the first.

    :param old: the earlier checkpoint, kept since.
    :raises NotProven: it does not.
    :raises NotSigned: no trusted key signed one of them.
    :raises NotANote: one of them is none.
    """
    before, _ = open_checkpoint(old, keys)
    after, _ = open_checkpoint(proof.checkpoint, keys)
    if before.origin != after.origin:
        raise NotProven(f"the checkpoints are of different journals: {before.origin} and {after.origin}")
    if before.size != proof.old:
        raise NotProven(f"the proof is for a checkpoint of {proof.old} lines, not of {before.size}")
    if not continues(before.root, before.size, after.root, after.size, proof.path):
        raise NotProven(f"the journal of {after.size} lines is not shown to begin with the one of {before.size}")
    return before, after


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _value(line: str, name: str) -> str:
    found, space, value = line.partition(" ")
    if found != name or not space:
        raise NotAProof(f"no line that begins with {name}")
    return value


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise NotAProof("a number that is not decimal")
    return int(text)


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAProof("a value that is not base64") from error
    if _base64(data) != text:
        raise NotAProof("a value in another spelling of base64")
    return data


def _path(lines: Sequence[str]) -> tuple[bytes, ...]:
    path = tuple(map(_bytes, lines))
    if len(path) > _LONGEST_PATH or any(len(node) != HASH_BYTES for node in path):
        raise NotAProof("a path that is not made of SHA-256 hashes")
    return path
