"""What is left of a journal: reading its tail when it is opened, and taking it up again after a failed write.

Everything here blocks: at start-up on purpose, later in the committer's thread.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eve_proxy.audit.file import JournalFile, Opener
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.model.errors import EveError
from eve_proxy.model.lean import lean
from eve_proxy.signing.journal_walk import LONGEST
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import Key, check_fields, check_hash

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 16


class TailDamaged(EveError):
    """A complete line at the end of a journal does not verify: someone, or the disk, changed it."""


class JournalReplaced(EveError):
    """The file at the journal's path is not the one we wrote, or no longer holds what we wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Bytes that were at the end and never became a record: how many, and their SHA-256 (hex)."""

    size: int
    sha256: str


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a journal stands after its last durable record.

    :ivar offset: bytes up to and with that record's newline.
    :ivar last: that record's line without newline; empty in a new journal.
    :ivar next: the link that the next record takes.
    """

    offset: int
    last: bytes
    next: LogLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What opening found.

    :ivar place: None when there is no complete line: a new journal begins.
    :ivar key_id: of the last record.
    :ivar torn: the incomplete line behind it, or None.
    :ivar torn_before: one at the end of the rotated file that the journal goes on from, and that was cut off there.
    """

    place: Place | None
    key_id: str | None
    torn: Cut | None
    torn_before: Cut | None = None


def read_tail(file: JournalFile, key: Key) -> Tail:
    """Read and verify the end of a journal: its last record and its link to the one before.

    :param key: ours. A last record that another key signed is checked by hash and chain only (evidence.md).
    :raises TailDamaged: a complete line does not verify.
    """
    size = file.size()
    end = _after_last_newline(file, size)
    torn = None if end == size else measure(file, end, size)
    if end == 0:
        return Tail(place=None, key_id=None, torn=torn)
    lines = file.read(max(0, end - 2 * LONGEST), min(end, 2 * LONGEST))[:-1].split(b"\n")
    last = _read(lines[-1], key)
    log = last["log"]
    if log["seq"] == 0:
        # Only the first line of a file can be record 0, and nothing comes before it.
        intact = log["prev"] == GENESIS and len(lines) == 1
    elif len(lines) == 1:
        # The first record after a rotation; the one before it may be on its way to an archive. Our signature vouches.
        intact = last["key_id"] == key.key_id
    else:
        intact = _follows(_read(lines[-2], key), log)
    if not intact:
        raise TailDamaged("the last record does not follow the one before it")
    following = LogLink(id=log["id"], seq=log["seq"] + 1, prev=last["content_hash"])
    return Tail(place=Place(offset=end, last=lines[-1], next=following), key_id=last["key_id"], torn=torn)


def _follows(before: dict[str, Any], log: dict[str, Any]) -> bool:
    return bool(
        before["log"]["id"] == log["id"]
        and before["log"]["seq"] + 1 == log["seq"]
        and before["content_hash"] == log["prev"]
    )


def _read(line: bytes, key: Key) -> dict[str, Any]:
    try:
        fields = read_line(line)
        if fields["key_id"] == key.key_id:
            check_fields(fields, (key,))
        else:
            check_hash(fields)
    except Unacceptable as error:
        raise TailDamaged(f"a complete line at its end does not verify: {error}") from error
    if fields["log"] is None:
        raise TailDamaged("a line at its end was never part of a journal")
    return fields


def _after_last_newline(file: JournalFile, size: int) -> int:
    """The offset behind the last newline, 0 when there is none; a torn tail may be longer than a line."""
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        found = file.read(start, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def measure(file: JournalFile, start: int, end: int) -> Cut:
    """Size and digest of ``start`` to ``end``, in constant memory."""
    digest = hashlib.sha256()
    for offset in range(start, end, _BLOCK):
        digest.update(file.read(offset, min(_BLOCK, end - offset)))
    return Cut(size=end - start, sha256=digest.hexdigest())


def take_up(
    opener: Opener, path: Path, broken: JournalFile, identity: tuple[int, int], place: Place
) -> tuple[JournalFile, Cut]:
    """After a failed write: a fresh descriptor, cut back to the last durable record, which must still be there.

    The file may have been renamed meanwhile: a full disk is when people look for logs to rotate.

    A failed fsync is never retried on its descriptor: Linux reports the error once and may have dropped the pages.

    :raises JournalReplaced: the file is not the one, or not as, we wrote it.
    :raises OSError: it still cannot be used.
    """
    file = opener(_whereabouts(path, identity))
    try:
        if file.identity() != identity:
            raise JournalReplaced("another file stands at the journal's path")
        size = file.size()
        line = place.last + b"\n" if place.last else b""
        if size < place.offset or file.read(place.offset - len(line), len(line)) != line:
            raise JournalReplaced("the last durable record is no longer at its place")
        cut = measure(file, place.offset, size)
        file.cut(place.offset)
    except BaseException:
        file.close()
        raise
    broken.close()  # not earlier: until the cut it keeps readers from what failed (signing/durable_end.py)
    return file, cut


def _whereabouts(path: Path, identity: tuple[int, int]) -> Path:
    """Where the file is that was at ``path``: there still, or under another name beside it.

    :raises JournalReplaced: neither.
    """
    for place in (path, *path.parent.iterdir()):
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        if (status.st_dev, status.st_ino) == identity:
            return place
    raise JournalReplaced("the journal's file is no longer in its directory")
