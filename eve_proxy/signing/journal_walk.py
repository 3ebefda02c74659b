"""Walking a whole journal: every line, the chain, and what is known about its end. Streaming, in constant memory.

The first fault ends the examination and decides the answer. Only to name it well does the walk read on: a line
that is missing where it should be was dropped, unless it comes later, and then lines were swapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from typing import Any, BinaryIO, Final

from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.signing.outside import Outside
from eve_proxy.signing.spelling import EDITED, Unacceptable, read_line
from eve_proxy.signing.verification import UNTRUSTED_KEY, Key, check_fields

SWAPPED: Final = "swapped"
DROPPED: Final = "dropped"
DUPLICATED: Final = "duplicated"
INSERTED: Final = "inserted"
KEY_CHANGED: Final = "key-changed"
TRUNCATED: Final = "truncated"
SELF_PROVEN: Final = "self-proven"

SESSION_CLOSE: Final = "session_close"

# Against whom the end is proven.
ACCIDENT: Final = "accident"
KEY_HOLDER: Final = "key-holder"

# A line never exceeds the 4,096 bytes of a header (its ASCII form is the longer one), plus the newline.
LONGEST: Final = 4097
_KINDS = 32


class Exit(IntEnum):
    """The answer, and the command's exit status (evidence.md, "Verification")."""

    WHOLE = 0
    TAMPERED = 1
    USAGE = 2
    UNPROVEN = 3
    UNTRUSTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a walk found.

    :ivar fault: a constant name, None when everything is well: ``edited respaced duplicate-keys dropped swapped
        duplicated inserted key-changed`` (tampered), ``rewritten cut`` (a source outside knows of other, or more),
        ``witness-dropped witness-rewrote`` (the other party did), ``untrusted-key``, ``truncated`` (no
        ``session_close``), ``self-proven`` (``--require-external``).
    :ivar line: number of the first faulty line, from 1; None when the fault is the missing end.
    :ivar records: lines that verified, in order, before the fault.
    :ivar head: the place that the next record would take; None when no line verified.
    :ivar proven_against: ``key-holder`` when a source from elsewhere proves the end; ``accident`` when only the
        journal's own ``session_close`` or the checkpoint beside it does: not against someone who cuts the file at an
        older ``session_close``, nor against the holder of the key; else None.
    :ivar kinds: how many records of each kind; of decisions, of each verdict.
    :ivar closed: the last line that verified is a ``session_close``.
    :ivar notes: what the sources outside say, a line each.
    :ivar follows: SHA-256 values (hex) of damaged files that this journal says it succeeds.
    """

    exit: Exit
    fault: str | None = None
    line: int | None = None
    detail: str = ""
    records: int = 0
    head: LogLink | None = None
    proven_against: str | None = None
    kinds: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    follows: tuple[str, ...] = ()
    closed: bool = False
    notes: tuple[str, ...] = ()


def walk(
    lines: Iterable[bytes], keys: Sequence[Key], *, require_external: bool = False, outside: Sequence[Outside] = ()
) -> Report:
    """Examine a journal from its first line.

    :param lines: as ``read_lines`` yields them, each with its newline; the last one may lack it.
    :param keys: the trusted keys.
    :param require_external: an end that only the journal itself vouches for is not enough.
    :param outside: what else is known about it.
    """
    walker = Walk(keys, outside)
    return walker.take(iter(lines)) or walker.end(require_external)


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a journal with their newlines; what is longer than any line comes in pieces."""
    return iter(lambda: stream.readline(LONGEST), b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a run of lines adds to a walk that has taken every line before them.

    :ivar behind: the place of its first line; the other fields are those of ``Walk`` behind its last one.
    """

    behind: LogLink | None
    records: int
    head: LogLink | None
    kinds: dict[str, int]
    verdicts: dict[str, int]
    last_kind: str
    signed_by: str | None
    announced: str | None


class Missing(Exception):
    """The line that should be here is not: a later one of the same journal is."""

    def __init__(self, log_id: str, expected: int, found: int) -> None:
        super().__init__()
        self.log_id = log_id
        self.expected = expected
        self.found = found


def _name_gap(gap: Missing, rest: Iterator[bytes]) -> tuple[str, str]:
    for raw in rest:
        try:
            log = read_line(raw.removesuffix(b"\n"))["log"]
        except Unacceptable:
            continue
        if log is not None and log["id"] == gap.log_id and log["seq"] == gap.expected:
            return SWAPPED, f"record {gap.found} stands where record {gap.expected} belongs, which comes later"
    return DROPPED, f"record {gap.expected} is missing: record {gap.found} stands in its place"


class Walk:
    """The chain so far, and the counts.

    :ivar records: how many lines were taken.
    """

    def __init__(self, keys: Sequence[Key], outside: Sequence[Outside] = ()) -> None:
        self.records = 0
        self._keys = keys
        self._outside = outside
        self._notes: tuple[str, ...] = ()
        self._head: LogLink | None = None
        self._begun: LogLink | None = None
        self._kinds: dict[str, int] = {}
        self._verdicts: dict[str, int] = {}
        self._last_kind = ""
        self._signed_by: str | None = None  # the key id that the last record has
        self._announced: str | None = None  # the key id that the last record names, when it is a key_rotation
        self._follows: tuple[str, ...] = ()

    def take(self, lines: Iterator[bytes], most: int | None = None) -> Report | None:
        """Take lines until there are no more, or ``most`` of them; the report when one is faulty, else None.

        :param lines: as ``read_lines`` yields them. Behind a gap it reads on, to name it.
        """
        for raw in islice(lines, most):
            number = self.records + 1
            try:
                if raw[-1:] != b"\n" and len(raw) < LONGEST:
                    return self.report(Exit.UNPROVEN, TRUNCATED, number, "the last line is incomplete")
                self.accept(raw[:-1], read_line(raw[:-1]))
            except Missing as gap:
                fault, detail = _name_gap(gap, lines)
                return self.report(Exit.TAMPERED, fault, number, detail)
            except Unacceptable as error:
                if error.fault == UNTRUSTED_KEY:
                    return self.report(Exit.UNTRUSTED, UNTRUSTED_KEY, number, self.who_announced() or error.detail)
                return self.report(Exit.TAMPERED, error.fault, number, error.detail)
        return None

    def accept(self, line: bytes, fields: dict[str, Any]) -> None:
        """Take one more line.

        :raises Unacceptable: it does not verify or does not belong here.
        :raises Missing: it belongs further on.
        """
        check_fields(fields, self._keys)
        log = fields["log"]
        if log is None:
            raise Unacceptable(INSERTED, "a certificate that was never part of a journal")
        expected = self._head or LogLink(id=log["id"], seq=0, prev=GENESIS)
        if log["id"] != expected.id:
            raise Unacceptable(INSERTED, "a record of another journal")
        if log["seq"] > expected.seq:
            raise Missing(expected.id, expected.seq, log["seq"])
        if log["seq"] < expected.seq:
            raise Unacceptable(DUPLICATED, f"record {log['seq']} again, where record {expected.seq} belongs")
        if log["prev"] != expected.prev:
            raise Unacceptable(INSERTED, f"record {log['seq']} of another history of this journal")
        self._check_key(fields)
        for source in self._outside:
            source.take(line, fields)
        self._head = LogLink(id=expected.id, seq=expected.seq + 1, prev=fields["content_hash"])
        self._count(fields)

    def begin_behind(self, fields: dict[str, Any]) -> None:
        """Start in the middle of a journal, behind a line that somebody else examines.

        :raises Unacceptable: a line that was never part of a journal.
        """
        if fields["log"] is None:
            raise Unacceptable(INSERTED, "a certificate that was never part of a journal")
        self._head = LogLink(id=fields["log"]["id"], seq=fields["log"]["seq"] + 1, prev=fields["content_hash"])
        self._begun = self._head
        self._note_key(fields)

    def stretch(self) -> Stretch:
        """What was taken since ``begin_behind``."""
        return Stretch(
            behind=self._begun,
            records=self.records,
            head=self._head,
            kinds=self._kinds,
            verdicts=self._verdicts,
            last_kind=self._last_kind,
            signed_by=self._signed_by,
            announced=self._announced,
        )

    def follows_on(self, stretch: Stretch) -> bool:
        """Whether the stretch begins where this walk stands."""
        return stretch.behind is not None and stretch.behind == self._head

    def extend(self, stretch: Stretch) -> None:
        """Take the lines that another walk examined behind the last line of this one; sources outside are not told."""
        if stretch.records == 0:
            return
        self.records += stretch.records
        self._head = stretch.head
        self._last_kind = stretch.last_kind
        self._signed_by = stretch.signed_by
        self._announced = stretch.announced
        for mine, theirs in ((self._kinds, stretch.kinds), (self._verdicts, stretch.verdicts)):
            for name, count in theirs.items():
                _add(mine, name, count)

    def _check_key(self, fields: dict[str, Any]) -> None:
        """A log changes its key only where a record says so: that a trusted key signed is not enough.

        Otherwise whoever got hold of a key that was retired long ago could write the end of a log anew.

        :raises Unacceptable: it changed unannounced.
        """
        key_id, details = fields["key_id"], fields["record"] or {}
        if fields["kind"] == "session_open":
            # Between two sessions anything may have been configured; the new one says what it found.
            named = details.get("previous_key_id")
            right = self._signed_by is None or (named or key_id) == self._signed_by
        else:
            right = key_id == (self._announced or self._signed_by or key_id)
        if not right:
            raise Unacceptable(KEY_CHANGED, f"signed with the key {key_id}, which no record before it announces")
        self._note_key(fields)

    def _note_key(self, fields: dict[str, Any]) -> None:
        self._signed_by = fields["key_id"]
        named = (fields["record"] or {}).get("key_id") if fields["kind"] == "key_rotation" else None
        self._announced = named if isinstance(named, str) else None

    def who_announced(self) -> str | None:
        """What to say about a record whose key is not trusted, when a trusted one has just named the next key."""
        if self._announced is None:
            return None
        return f"signed with a key that is not trusted; the key_rotation before it names {self._announced}"

    def _count(self, fields: dict[str, Any]) -> None:
        kind = fields["kind"]
        self.records += 1
        self._last_kind = kind
        _add(self._kinds, kind)
        if isinstance(fields["verdict"], str):
            _add(self._verdicts, fields["verdict"])
        if kind == "session_open" and fields["log"]["seq"] == 0:
            damaged = (fields["record"] or {}).get("damaged_sha256")
            if isinstance(damaged, str):
                self._follows = (damaged,)

    def end(self, require_external: bool) -> Report:
        """The report on a journal without a faulty line."""
        try:
            return self._conclude(require_external)
        except Unacceptable as error:  # a source outside knows of more
            return self.report(Exit.TAMPERED, error.fault, None, error.detail)

    def _conclude(self, require_external: bool) -> Report:
        closed = self._last_kind == SESSION_CLOSE
        vouched = [source.conclude(self.records, closed=closed) for source in self._outside]
        self._notes = tuple(each.note for each in vouched if each.note)
        if any(each.whole and each.external for each in vouched):
            return self.report(Exit.WHOLE, None, None, "", KEY_HOLDER)
        if not closed and not any(each.whole for each in vouched):
            detail = "every line verifies, but no session_close ends the journal: later lines may be missing"
            return self.report(Exit.UNPROVEN, TRUNCATED, None, detail)
        if require_external:
            detail = "nothing from elsewhere, checkpoint or witness, proves the end"
            return self.report(Exit.UNPROVEN, SELF_PROVEN, None, detail, ACCIDENT)
        return self.report(Exit.WHOLE, None, None, "", ACCIDENT)

    def report(
        self, answer: Exit, fault: str | None, line: int | None, detail: str, against: str | None = None
    ) -> Report:
        """The report as things stand."""
        return Report(
            exit=answer,
            fault=fault,
            line=line,
            detail=detail,
            records=self.records,
            head=self._head,
            proven_against=against,
            kinds=self._kinds,
            verdicts=self._verdicts,
            follows=self._follows,
            closed=self._last_kind == SESSION_CLOSE,
            notes=self._notes,
        )


def _add(counts: dict[str, int], name: str, count: int = 1) -> None:
    """Count, in bounded memory whatever the names are."""
    if name not in counts and len(counts) >= _KINDS:
        name = "other"
    counts[name] = counts.get(name, 0) + count


__all__ = ["EDITED", "LONGEST", "Exit", "Missing", "Report", "Stretch", "Walk", "read_lines", "walk"]
