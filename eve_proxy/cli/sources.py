"""What a journal is held against: checkpoints that were kept, the one beside it, and the journal of its witness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from eve_proxy.cli.progress import Progress
from eve_proxy.cli.trust import Usage
from eve_proxy.signing.checkpoint import SUFFIX, Checkpoint, open_checkpoint
from eve_proxy.signing.journal_walk import LONGEST, Exit, Report, read_lines, walk
from eve_proxy.signing.note import NotANote, NotSigned
from eve_proxy.signing.outside import CUT, REWRITTEN, CheckpointSource, Outside, Vouched
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import UNTRUSTED_KEY, Key
from eve_proxy.signing.witness_log import WitnessLog
from eve_proxy.signing.witness_source import WitnessSource


class Sources:
    """All that the command was given.

    :param keys: the trusted keys, of journals and checkpoints.
    :ivar findings: what is wrong with a source itself: its name and a report.
    """

    def __init__(self, keys: Sequence[Key], stderr: TextIO) -> None:
        self._keys = keys
        self._stderr = stderr
        self._checkpoints: list[tuple[Path, Checkpoint]] = []
        self._used: set[Path] = set()
        self._witness: WitnessLog | None = None
        self._witness_keys: Sequence[Key] = ()
        self.findings: list[tuple[str, Report]] = []

    def add_checkpoint(self, path: Path) -> None:
        """A checkpoint from elsewhere.

        :raises Usage: the file is none.
        :raises OSError: it cannot be read.
        """
        try:
            checkpoint, _ = open_checkpoint(path.read_bytes(), self._keys)
        except NotANote as error:
            raise Usage(f"{path}: not a checkpoint: {error}") from error
        except NotSigned as error:
            answer, fault = (Exit.TAMPERED, REWRITTEN) if error.forged else (Exit.UNTRUSTED, UNTRUSTED_KEY)
            self.findings.append((str(path), Report(exit=answer, fault=fault, detail=str(error))))
            return
        self._checkpoints.append((path, checkpoint))

    def add_witness(self, path: Path, keys: Sequence[Key]) -> None:
        """The journal of the decision service, verified with ``keys``.

        :raises OSError: it cannot be read.
        """
        log = WitnessLog()
        with path.open("rb") as stream, Progress(str(path), path.stat().st_size, self._stderr) as progress:
            report = walk(progress.over(read_lines(stream)), keys, outside=[_Reading(log)])
        if report.exit in (Exit.TAMPERED, Exit.UNTRUSTED):
            self.findings.append((str(path), report))
            log.close()
            return
        log.ready()
        self._witness, self._witness_keys = log, keys

    def of(self, journal: Path | None, *, alone: bool) -> list[Outside]:
        """What one journal is held against.

        :param journal: None for standard input.
        :param alone: it is the only one: every checkpoint must be its own.
        """
        found: list[Outside] = []
        beside = None if journal is None else journal.with_name(journal.name + SUFFIX)
        log_id = None if alone or journal is None else _log_id(journal)
        for path, checkpoint in self._checkpoints:
            if alone or checkpoint.log_id == log_id:
                self._used.add(path)
                external = beside is None or not (beside.exists() and beside.samefile(path))
                found.append(CheckpointSource(checkpoint, external=external))
        if beside is not None and not found:
            found += self._beside(beside)
        if self._witness is not None:
            found.append(WitnessSource(self._witness, self._witness_keys))
        return found

    def close(self) -> None:
        """No more journals will be examined."""
        if self._witness is not None:
            self._witness.close()

    def unused(self) -> Iterator[tuple[str, Report]]:
        """The checkpoints whose journal is not here."""
        for path, checkpoint in self._checkpoints:
            if path not in self._used:
                detail = f"the journal that it was made of is not here: {checkpoint.origin}"
                yield str(path), Report(exit=Exit.TAMPERED, fault=CUT, detail=detail)

    def _beside(self, path: Path) -> list[Outside]:
        """The journal's own checkpoint. It only helps against accidents, so that one that is no good is no evidence."""
        try:
            return [CheckpointSource(open_checkpoint(path.read_bytes(), self._keys)[0], external=False)]
        except (OSError, NotANote, NotSigned):
            return []


class _Reading:
    """Fills a ``WitnessLog`` while the witness's journal is verified."""

    def __init__(self, log: WitnessLog) -> None:
        self._log = log

    def take(self, line: bytes, fields: dict[str, object]) -> None:
        self._log.take(fields)

    def conclude(self, records: int, *, closed: bool) -> Vouched:
        return Vouched(external=False, whole=False, note="")


def _log_id(journal: Path) -> str | None:
    with journal.open("rb") as stream:
        try:
            log = read_line(stream.readline(LONGEST).removesuffix(b"\n"))["log"]
        except Unacceptable:
            return None
    return None if log is None else str(log["id"])
