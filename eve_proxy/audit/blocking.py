"""A journal without an event loop: any thread submits, one thread of its own writes and syncs.

The rules are those of ``audit/journal.py`` (law 2): link, signature and place in the queue are taken in one step under
the lock; whatever was submitted while a commit ran goes together in the next; an entry's future fires when its line
is durable, and not a moment before.

The writing thread never waits for a caller, and a caller never waits for the disk longer than it wants to: it gives
up (``give_up``). If its line lands after all, a ``void`` record names it.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from eve_proxy.audit.beginning import link_after, write_first
from eve_proxy.audit.checkpoint_file import RECORDS, SECONDS, CheckpointFile
from eve_proxy.audit.file import JournalFile
from eve_proxy.audit.records import Records
from eve_proxy.audit.recovery import Cut, JournalReplaced, Place, take_up
from eve_proxy.audit.refusing import refusal, unwritable
from eve_proxy.audit.rotation import FileRotation
from eve_proxy.audit.tree import CHECKPOINT, Tree
from eve_proxy.interfaces import IClock, ISigner
from eve_proxy.model.certificate import DecisionCertificate, Draft, LogLink
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.signing.seal import seal

_FIRST_RETRY = 0.25  # seconds; doubled up to
_LAST_RETRY = 5.0

_log = logging.getLogger("eve_proxy.audit")


class Entry:
    """A line on its way to the disk.

    :ivar future: the certificate, once its line is durable; or JournalUnavailable. It cannot be cancelled.
    :ivar due: when EVE_PROXY_AUDIT_TIMEOUT has passed, on the monotonic clock.
    :ivar late: whoever waited was refused.
    :ivar voids: the certificate that this ``void`` record names.
    """

    __slots__ = ("certificate", "due", "future", "late", "voids")

    def __init__(self, certificate: DecisionCertificate, due: float, voids: DecisionCertificate | None = None) -> None:
        self.certificate = certificate
        self.future: Future[DecisionCertificate] = Future()
        self.future.set_running_or_notify_cancel()
        self.due = due
        self.late = voids is not None  # nobody waits for a void record
        self.voids = voids


class BlockingJournal:
    """An open journal. Its thread starts at once, and never keeps the process alive.

    :param rotation: of ``path``; its opener opens the file again after a failed write.
    :param place: after the ``session_open`` that ``write_first`` made durable.
    :param durable: False leaves durability to the operating system (EVE_PROXY_AUDIT_SYNC=off).
    :param timeout: EVE_PROXY_AUDIT_TIMEOUT, seconds.
    """

    def __init__(
        self,
        *,
        path: Path,
        file: JournalFile,
        rotation: FileRotation,
        place: Place,
        tree: Tree,
        signer: ISigner,
        records: Records,
        clock: IClock,
        durable: bool,
        timeout: float,
    ) -> None:
        self.path = path
        self.timeout = timeout
        self._file = file
        self._rotation = rotation
        self._identity = file.identity()
        self._displaced = False  # it was renamed, and no new file can be begun
        self._signer = signer
        self._records = records
        self._clock = clock
        self._durable = durable

        self._changed = threading.Condition(threading.Lock())
        self._place = place  # on the disk
        self._head = place.next  # in memory
        self._queue: list[Entry] = []
        self._owed: list[DecisionCertificate] = []  # landed after their refusal, and no void record is durable yet
        self._problem: str | None = None
        self._refused = 0  # since the problem began
        self._closing = False
        self._checkpoint = CheckpointFile(path, place.next.id, tree, lambda: signer)
        self._covered = place.next.seq  # records under the last checkpoint, and when that was
        self._covered_at = clock.monotonic()
        self._settled = self._covered  # a journal of this size has nothing new in it
        self._thread = threading.Thread(target=self._run, name="eve-journal", daemon=True)
        self._thread.start()

    @property
    def head(self) -> LogLink:
        """The place that the next record takes."""
        return self._head

    @property
    def durable_head(self) -> LogLink:
        """The place behind the last durable record: what no failure of ours takes back."""
        return self._place.next

    @property
    def problem(self) -> str | None:
        """Why nothing can be recorded now, on one line; None while all is well."""
        return self._problem

    def submit(self, draft: Draft) -> Entry:
        """Take the chain's next link, sign, and queue the line.

        :raises SigningFailed: no certificate could be made; the chain did not move.
        :raises JournalUnavailable: nothing can be recorded now; it carries the certificate with ``log: null``.
        """
        with self._changed:
            if self._problem is not None:
                raise self._refusal(draft, self._problem)
            return self._enter(draft)

    def give_up(self, entry: Entry) -> JournalUnavailable | None:
        """Stop waiting for ``entry``.

        :returns: what to raise; None when its line became durable in this very moment: the future says so.
        """
        with self._changed:
            if entry.future.done():
                return None
            entry.late = True
            slow = f"the journal's disk did not answer within {self.timeout:g} s"
            if self._clock.monotonic() < entry.due:
                return self._refusal(
                    entry.certificate.draft, "the call's deadline passed before its record was written"
                )
            if self._problem is None:
                # Nobody else needs to wait as long as this one did, until the commit under way ends.
                self._trouble(slow)
            return self._refusal(entry.certificate.draft, slow)

    def close(self) -> None:
        """Write ``session_close`` behind what waits; wait for that, at most ``timeout`` seconds. May be repeated."""
        with self._changed:
            if not self._closing:
                if self._problem is None:
                    try:
                        self._enter(self._records.draft("session_close", "the journal was closed", {}))
                    except SigningFailed as error:
                        _log.error("the journal has no session_close: %s", error)
                self._closing = True
                self._problem = "the journal is closed"
                self._changed.notify_all()
        self._thread.join(self.timeout)

    def forget(self) -> None:
        """In a forked child: leave the file to the parent. The parent's thread, and who held the lock, do not exist."""
        self._changed = threading.Condition(threading.Lock())
        self._closing = True
        self._problem = "the process was forked; its journal is the parent's"
        self._file.close()

    # The way to the disk. What follows runs in the journal's thread, except where it says "under the lock".

    def _enter(self, draft: Draft, voids: DecisionCertificate | None = None) -> Entry:
        """Under the lock."""
        certificate = seal(draft, self._head, self._signer)
        entry = Entry(certificate, self._clock.monotonic() + self.timeout, voids)
        self._queue.append(entry)
        self._head = link_after(certificate)
        self._changed.notify()
        return entry

    def _run(self) -> None:
        while batch := self._next():
            data = b"\n".join([entry.certificate.line for entry in batch]) + b"\n"
            if self._rotation.due(self._identity, self._place.offset):
                self._go_on_elsewhere()
            try:
                self._file.append(data, self._durable)
            except OSError as error:
                self._broke(batch, error)
                self._repair()
            else:
                self._landed(batch, len(data))
                if self._checkpoint_due():
                    self._note_checkpoint()
        self._write_checkpoint()
        self._file.close()

    def _go_on_elsewhere(self) -> None:
        try:
            file = self._rotation.next_file(self._identity)
        except OSError as error:
            if not self._displaced:
                _log.error("no new file of the journal can be begun, so the old one goes on: %s", error)
            self._displaced = True
            return
        self._file.close()
        self._displaced = False
        self._file, self._identity = file, file.identity()
        with self._changed:
            self._place = Place(offset=0, last=b"", next=self._place.next)

    def _next(self) -> list[Entry]:
        """Everything that waits, as soon as something does; nothing when the journal is closed."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            batch, self._queue = self._queue, []
            return batch

    def _landed(self, batch: list[Entry], size: int) -> None:
        last = batch[-1].certificate
        with self._changed:
            self._place = Place(offset=self._place.offset + size, last=last.line, next=link_after(last))
            self._well()
            self._owed += [entry.certificate for entry in batch if entry.late and entry.voids is None]
            for entry in batch:
                if not entry.late:
                    entry.future.set_result(entry.certificate)
            self._settle()

    def _broke(self, batch: list[Entry], error: OSError) -> None:
        with self._changed:
            failed, self._queue = [*batch, *self._queue], []
            self._head = self._place.next
            self._trouble(unwritable(error))
            self._owed += [entry.voids for entry in failed if entry.voids is not None]
            for entry in failed:
                if not entry.late:
                    entry.future.set_exception(self._refusal(entry.certificate.draft, unwritable(error)))

    def _checkpoint_due(self) -> bool:
        """Every 1,000 records, and with the first one that lands 60 s after the last checkpoint."""
        size = self._place.next.seq
        late = self._clock.monotonic() - self._covered_at >= SECONDS
        return size - self._covered >= RECORDS or (late and size > self._settled)

    def _write_checkpoint(self) -> dict[str, Any] | None:
        self._covered, self._covered_at = self._place.next.seq, self._clock.monotonic()
        self._settled = self._covered + 1  # with the record that says so
        try:
            return self._checkpoint.write()
        except (OSError, SigningFailed) as error:
            _log.error("no checkpoint could be written: %s", error)
            return None

    def _note_checkpoint(self) -> None:
        said = self._write_checkpoint()
        with self._changed:
            if said is not None and not self._closing:
                try:
                    self._enter(self._records.draft(CHECKPOINT, "the journal so far", said))
                except SigningFailed as error:
                    _log.error("a checkpoint has no record: %s", error)

    def _repair(self) -> None:
        """Reopen, cut back, and show that the file can be written by writing what happened; until it works."""
        pause = _FIRST_RETRY
        first_cut: Cut | None = None
        while True:
            with self._changed:
                if not self._closing:
                    self._changed.wait(pause)
                if self._closing:
                    return
                details = {"cause": self._problem or "", "refused": self._refused}
            pause = min(_LAST_RETRY, 2 * pause)
            try:
                self._file, cut = take_up(self._rotation.opener, self.path, self._file, self._identity, self._place)
                if first_cut is None or first_cut.size == 0:
                    first_cut = cut  # later ones are attempts to write this very record
                details |= {"bytes": first_cut.size, "sha256": first_cut.sha256}
                draft = self._records.draft("recovered", "writing failed and works again", details)
                place = write_first(self._file, self._place, [draft], self._signer)
            except (OSError, JournalReplaced, SigningFailed) as error:
                with self._changed:
                    self._trouble(unwritable(error))
                continue
            with self._changed:
                self._place, self._head = place, place.next
                self._well()
                self._settle()
            return

    # Under the lock.

    def _trouble(self, problem: str) -> None:
        if self._closing:
            return
        if self._problem is None:
            self._refused = 0
            _log.error("%s; no enforced function runs until it can be", problem)
        self._problem = problem

    def _well(self) -> None:
        if self._problem is not None and not self._closing:
            _log.info("the journal is written again; %d records were refused", self._refused)
            self._problem = None

    def _settle(self) -> None:
        """Name, in ``void`` records, the lines whose callers were told that there is none."""
        owed, self._owed = self._owed, []
        for position, voided in enumerate(owed):
            try:
                self._enter(self._records.void(voided), voided)
            except SigningFailed:
                self._owed = owed[position:]  # said after the next commit that lands
                return

    def _refusal(self, draft: Draft, problem: str) -> JournalUnavailable:
        self._refused += 1
        return refusal(draft, problem, self._records, self._signer)
