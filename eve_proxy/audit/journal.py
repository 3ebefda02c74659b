"""The journal: law 2. A record's Deferred fires when its line is durable, and not a moment before.

Records wait in ``_queue`` while a commit (one write, one fdatasync, in the committer's thread) is under way; when it
lands, all that waited go together in the next. A lone record is handed over at once; in a crowd, records wait a little
for others (``audit/gathering.py``).

The chain's head runs ahead of the disk; when a commit fails it returns to the last durable record, and everything
signed since then fails with it. Nobody saw those certificates.

Three ways for a record not to become durable, and what follows:

- the commit fails: the file is reopened and cut back, a ``recovered`` record says so; once that one is durable, the
  journal is well again;
- the commit stalls past the timeout: whoever waits is refused, and what was not yet handed over is withdrawn. If the
  lines land after all, a ``void`` record names each, and the journal is well again;
- the signer fails: nothing was queued, the chain did not move.

Nobody waits for an outcome: it goes with the next commit that is made for others. When there is no room for it, it is
counted instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from eve_proxy.audit.checkpoint_file import CheckpointFile
from eve_proxy.audit.checkpoints import Checkpoints
from eve_proxy.audit.committer import Offload
from eve_proxy.audit.counts import JournalCounts
from eve_proxy.audit.entry import Entry, Rotation
from eve_proxy.audit.gathering import Gathering
from eve_proxy.audit.lock import Lock
from eve_proxy.audit.present_file import PresentFile
from eve_proxy.audit.recent import Standing
from eve_proxy.audit.records import WORKS_AGAIN, Records
from eve_proxy.audit.recovery import FIRST_RETRY, LAST_RETRY, Cut
from eve_proxy.audit.refusing import refusal, too_slow, unwritable
from eve_proxy.audit.space import SpaceWatch
from eve_proxy.audit.tree import Tree
from eve_proxy.interfaces import IAuditSink, IClock, ISigner
from eve_proxy.model.certificate import DecisionCertificate, Draft, LogLink
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.signing.seal import seal

# Most records in the queue when one that nobody waits for is added.
ROOM = 1024

_log = Logger()


@implementer(IAuditSink)
class Journal:
    """An open journal. Made by ``audit.opening.open_journal``.

    :ivar outcomes_lost: how many outcomes of this session have no record.
    :ivar counts: how it is doing.
    """

    def __init__(
        self,
        *,
        path: Path,
        file: PresentFile,
        lock: Lock,
        tree: Tree,
        signer: ISigner,
        records: Records,
        clock: IClock,
        timers: IReactorTime,
        offload: Offload,
        durable: bool,
        timeout: float,
    ) -> None:
        """Take over an open, locked file.

        :param durable: what ``file`` does; False is said in ``warnings``.
        """
        self._file = file
        self._lock = lock
        self._signer = signer
        self._records = records
        self._clock = clock
        self._timers = timers
        self._durable = durable
        self._timeout = timeout

        self._head = file.place.next  # runs ahead of the disk
        self._outcomes = records.outcomes(self._head.id)
        self._queue: list[Entry] = []
        self._awaited = 0  # how many in the queue somebody waits for
        self._inflight: list[Entry] | None = None
        self._gathering = Gathering(waiting=lambda: self._awaited, commit=self._flush, clock=clock, timers=timers)
        self._owed: list[DecisionCertificate] = []  # lines that landed after their refusal and have no void record yet

        self._problem: str | None = None
        self._refused = 0  # since the problem began
        self._cut: Cut | None = None
        self._retry_in = 0.0
        self._retry: IDelayedCall | None = None
        self._alarm: IDelayedCall | None = None
        self._closing = False
        self._closed = False

        self.outcomes_lost = 0
        self._space = space = SpaceWatch(file.free_space(), clock=clock, offload=offload)
        self.counts = JournalCounts(file, space, lambda: self._signer, durable=durable, now=clock.monotonic())
        beside = CheckpointFile(path, self._head.id, tree, lambda: self._signer)
        self._checkpoints = Checkpoints(beside, self.note, offload=offload, timers=timers, size=self._head.seq)

    @property
    def problem(self) -> str | None:
        """Why nothing can be recorded now, on one line (the reason of ``/readyz``); None while all is well."""
        return "the journal is closed" if self._closing and self._problem is None else self._problem

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know while all is well: ``sync off``, low disk."""
        if self.problem is None:
            self._space.look(self._file.free_space)
        found = (None if self._durable else "sync off", self._file.warning, self._space.warning)
        return tuple(warning for warning in found if warning is not None)

    @property
    def head(self) -> LogLink:
        """The place that the next record takes: the journal's id, its number, the hash of the one before."""
        return self._head

    @property
    def durable_head(self) -> LogLink:
        """The place behind the last durable record, which no failure takes back: what others may hold us to."""
        return self._file.place.next

    @property
    def standing(self) -> Standing:
        """The durable part of the present file."""
        return self._file.standing

    def record(self, draft: Draft) -> Deferred[DecisionCertificate]:
        """See ``IAuditSink``: link, signature and place in the queue in one synchronous step."""
        if self._problem is not None or self._closing:
            return fail(self._refusal(draft))
        try:
            certificate = seal(draft, self._head, self._signer)
        except SigningFailed as error:
            return fail(error)
        waiter: Deferred[DecisionCertificate] = Deferred()
        self._append(Entry.of(certificate, waiter, self._clock.monotonic() + self._timeout))
        self._awaited += 1
        if self._inflight is None:
            self._gathering.offer()
        if self._alarm is None:
            self._alarm = self._timers.callLater(self._timeout, self._overdue)
        return waiter

    def note(
        self, kind: str, reason: str, details: dict[str, Any], *, parent: str | None = None
    ) -> Deferred[DecisionCertificate]:
        """Record something that is not a decision, such as ``suppressed``; as ``record``."""
        return self.record(self._records.draft(kind, reason, details, parent=parent))

    def outcome(self, parent: str, details: dict[str, Any]) -> None:
        """Record what became of an exchange that was let go. Nobody waits for it; it is dropped when there is no room.

        :param parent: id of the decision's certificate.
        :param details: as they stand in a line (``Outcomes.seal``).
        """
        if self._problem is not None or self._closing or len(self._queue) >= ROOM:
            self.outcomes_lost += 1
            return
        head = self._head
        try:
            line, digest = self._outcomes.seal(parent, details, head.seq, head.prev, self._signer)
        except SigningFailed:
            self.outcomes_lost += 1
            return
        self._append(Entry(line, LogLink(id=head.id, seq=head.seq + 1, prev=digest)))
        if self._inflight is None:
            self._gathering.at_leisure()

    @property
    def key_id(self) -> str:
        """Of the key that signs the next record."""
        return self._signer.key_id

    def rotate(self, signer: ISigner) -> Deferred[DecisionCertificate]:
        """Sign with another key: the old one's last record is the ``key_rotation`` that names it.

        Fires when that record is durable. Fails, and the old key signs on, when it cannot be written or signed.
        """
        if self._problem is not None or self._closing:
            return fail(JournalUnavailable(self.problem or ""))
        try:
            entry = Entry.of(seal(self._records.key_rotation(self._signer, signer), self._head, self._signer))
        except SigningFailed as error:
            return fail(error)
        entry.rotation = rotation = Rotation(self._signer)
        self._append(entry)
        self._signer = signer
        self._flush()
        return rotation.done

    def close(self) -> Deferred[None]:
        """Refuse new records, write ``session_close`` behind those that wait, and give the file back.

        Fires when that is durable; fails with JournalUnavailable when it cannot be, and gives the file back all the
        same (unless a write hangs: then file and lock end with the process).
        """
        if self._closing:
            return succeed(None)
        self._checkpoints.stop()
        if self._problem is None:
            closed = self.record(self._records.session_close({"outcomes_lost": self.outcomes_lost}))
        else:
            closed = fail(JournalUnavailable(self._problem))
        self._closing = True
        self._flush()
        return closed.addCallback(self._checkpoints.end).addBoth(self._release)

    def _release(self, outcome: Failure | None) -> Failure | None:
        self._closed = True
        self._gathering.stop()
        for call in (self._alarm, self._retry):
            if call is not None and call.active():
                call.cancel()
        if self._inflight is None:
            self._give_back()
        return outcome if isinstance(outcome, Failure) else None

    def _give_back(self) -> None:
        self._file.close()
        self._lock.release()

    # The way to the disk.

    def _append(self, entry: Entry) -> None:
        self._queue.append(entry)
        self._head = entry.next

    def _flush(self) -> None:
        """Hand over everything that waits, unless a commit is under way."""
        if not self._queue or self._inflight is not None:
            return
        batch, self._queue = self._queue, []
        self._gathering.committed(self._awaited)
        self._awaited = 0
        self._inflight = batch
        self.counts.begun_at = self._clock.monotonic()
        data = b"\n".join([entry.line for entry in batch]) + b"\n"
        self._file.append(data, batch[-1].line, batch[-1].next, self._landed, self._broke)

    def _landed(self, _: None) -> None:
        batch, self._inflight = self._inflight or [], None
        now = self.counts.landed(self._clock.monotonic())
        if self._problem is not None:
            self._heal()
        if self._awaited:
            self._gathering.offer()
        elif self._queue:
            self._gathering.at_leisure()
        for entry in batch:
            waiter, certificate = entry.waiter, entry.certificate
            if certificate is None:
                continue
            if waiter is None:
                if entry.late:
                    self._owed.append(certificate)
                elif entry.rotation is not None:
                    entry.rotation.done.callback(certificate)
            elif entry.due < now:
                # Durable, but whoever waits must hear the same whether the alarm or the disk came first.
                self._owed.append(certificate)
                waiter.errback(self._refusal(certificate.draft, self._slow))
            else:
                waiter.callback(certificate)
        if self._owed:
            self._settle()
        self._checkpoints.landed(batch[-1].next.seq)
        if self._closed and self._inflight is None:
            self._give_back()
        elif self._problem is None and not self._closed:
            self._space.look(self._file.free_space)

    @property
    def _slow(self) -> str:
        return too_slow(self._timeout)

    # When something goes wrong.

    def _refusal(self, draft: Draft, problem: str | None = None) -> JournalUnavailable:
        self._refused += 1
        return refusal(draft, problem or self.problem or "the journal is unavailable", self._records, self._signer)

    def _overdue(self) -> None:
        """The alarm: it rings for the oldest record that waited when it was set, and goes on to the oldest now."""
        self._alarm = None
        self._flush()  # so that whatever is overdue is under way, and its end will be heard of
        waiting = [entry.due for entry in (*(self._inflight or ()), *self._queue) if entry.waiter is not None]
        if not waiting:
            return
        left = min(waiting) - self._clock.monotonic()
        if left > 0:
            self._alarm = self._timers.callLater(left, self._overdue)
        else:
            self._stall()

    def _stall(self) -> None:
        withdrawn, self._queue, self._awaited = self._queue, [], 0
        inflight = self._inflight or []
        # The next record, should there be one, follows what the stalled commit may yet write.
        self._head = inflight[-1].next if inflight else self._file.place.next
        self.counts.stalled += 1
        self._trouble(self._slow)
        for entry in inflight:
            entry.late = entry.late or entry.waiter is not None
        self._take_back(withdrawn)
        self._refuse([*inflight, *withdrawn])

    def _broke(self, failure: Failure) -> None:
        entries = [*(self._inflight or []), *self._queue]
        self._inflight, self._queue, self._awaited = None, [], 0
        self._head = self._file.place.next
        self.counts.broken += 1
        self._trouble(unwritable(failure.value))
        self._take_back(entries)
        self._refuse(entries)
        self._repair_later()

    def _trouble(self, problem: str) -> None:
        if self._problem is None:
            self._refused = 0
            self._cut = None
            _log.error("{problem}; nothing is released until it can be", problem=problem)
        self._problem = problem

    def _take_back(self, entries: list[Entry]) -> None:
        """These never become durable: undo what they stand for."""
        self._owed.extend([entry.voids for entry in entries if entry.voids is not None])
        self.outcomes_lost += sum(entry.certificate is None for entry in entries)
        rotations = [entry.rotation for entry in entries if entry.rotation is not None]
        if rotations:
            self._signer = rotations[0].before
        for rotation in rotations:
            rotation.done.errback(JournalUnavailable(self._problem or ""))

    def _refuse(self, entries: list[Entry]) -> None:
        for entry in entries:
            waiter, entry.waiter = entry.waiter, None
            if waiter is not None and entry.certificate is not None:
                waiter.errback(self._refusal(entry.certificate.draft))

    def _repair_later(self) -> None:
        if self._closed:
            self._give_back()
            return
        self._retry = self._timers.callLater(self._retry_in, self._repair)
        self._retry_in = min(LAST_RETRY, max(FIRST_RETRY, 2 * self._retry_in))

    def _repair(self) -> None:
        self._retry = None
        self._file.take_up().addCallbacks(self._taken_up, self._broke)

    def _taken_up(self, cut: Cut) -> None:
        """The file is as it was after the last durable record; show that it can be written by writing what happened."""
        if self._closed:
            self._repair_later()
            return
        if self._cut is None or self._cut.size == 0:
            self._cut = cut  # later ones are attempts to write this very record
        draft = self._records.recovered(WORKS_AGAIN, self._cut, cause=self._problem or "", refused=self._refused)
        try:
            self._append(Entry.of(seal(draft, self._head, self._signer)))
        except SigningFailed:
            self._broke(Failure())  # type: ignore[no-untyped-call]
            return
        self._settle()

    def _heal(self) -> None:
        _log.info("the journal is written again; {refused} records were refused", refused=self._refused)
        self._problem = None
        self._retry_in = 0.0

    def _settle(self) -> None:
        """Name, in ``void`` records, the lines whose clients were told that there is none; and commit."""
        owed, self._owed = self._owed, []
        for position, voided in enumerate(owed):
            try:
                entry = Entry.of(seal(self._records.void(voided), self._head, self._signer))
            except SigningFailed:
                self._owed = owed[position:]  # said after the next commit that lands
                break
            entry.voids = voided
            self._append(entry)
        self._flush()
