"""What is known about a journal from outside its lines, and how far it proves them (evidence.md, "Verification")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from eve_proxy.signing.checkpoint import Checkpoint
from eve_proxy.signing.merkle import HASH_BYTES, Frontier, leaf_hash
from eve_proxy.signing.spelling import Unacceptable

REWRITTEN: Final = "rewritten"
CUT: Final = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What a source says of a journal that does not contradict it.

    :ivar external: it comes from elsewhere: it binds the holder of the key, too.
    :ivar whole: it proves the journal's end.
    :ivar note: one line for the reader, or nothing.
    """

    external: bool
    whole: bool
    note: str


class Outside(Protocol):
    """A source. It is told every line that verifies, in order, and at the end how many there were."""

    def take(self, line: bytes, fields: dict[str, Any]) -> None:
        """One more line, without its newline.

        :raises Unacceptable: the source contradicts it.
        """

    def conclude(self, records: int, *, closed: bool) -> Vouched:
        """The end of the journal.

        :param closed: a ``session_close`` is its last record.
        :raises Unacceptable: the source knows of more.
        """


class CheckpointSource:
    """A checkpoint that a trusted key signed.

    :param external: it was kept elsewhere, not beside the journal.
    """

    def __init__(self, checkpoint: Checkpoint, *, external: bool) -> None:
        self._checkpoint = checkpoint
        self._external = external
        self._frontier = Frontier()

    def take(self, line: bytes, fields: dict[str, Any]) -> None:
        """See ``Outside``."""
        checkpoint, frontier = self._checkpoint, self._frontier
        if frontier.size == 0 and fields["log"]["id"] != checkpoint.log_id:
            raise Unacceptable(REWRITTEN, f"the checkpoint is of another journal: {checkpoint.origin}")
        if frontier.size >= checkpoint.size:
            return
        frontier.add(leaf_hash(line))
        if frontier.size == checkpoint.size and frontier.root() != checkpoint.root:
            raise Unacceptable(
                REWRITTEN, f"the first {checkpoint.size} records are not those that the checkpoint was made of"
            )

    def ends_within(self, records: int) -> bool:
        """Whether one of the next ``records`` lines is the last that the checkpoint covers."""
        return self._frontier.size < self._checkpoint.size <= self._frontier.size + records

    def take_leaves(self, leaves: bytes) -> None:
        """The leaf hashes of the next lines, one after the other; the checkpoint does not end within them."""
        if self._frontier.size < self._checkpoint.size:
            for start in range(0, len(leaves), HASH_BYTES):
                self._frontier.add(leaves[start : start + HASH_BYTES])

    def conclude(self, records: int, *, closed: bool) -> Vouched:
        """See ``Outside``."""
        size = self._checkpoint.size
        if records < size:
            raise Unacceptable(CUT, f"the checkpoint has {size} records, the journal {records}: its end was cut off")
        whom = "the holder of the key" if self._external else "accident"
        note = f"checkpoint: the first {size} of {records} records are proven against {whom}"
        whole = records == size
        return Vouched(external=self._external, whole=whole, note="" if whole and not self._external else note)
