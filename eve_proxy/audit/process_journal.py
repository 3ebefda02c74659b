"""The journal of a process that uses the library: a file and a ``log.id`` of its own (evidence.md, "The journal").

``…events.lib-<pid>-<random>.jsonl`` beside the daemon's. Made exclusively, so that it needs no lock; opened when it is
first wanted, and again later when that failed.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Literal

from eve_proxy.audit.beginning import first_place, session_open, write_first
from eve_proxy.audit.blocking import BlockingJournal, Entry
from eve_proxy.audit.file import Opener, create_file, make_directories, open_file
from eve_proxy.audit.records import Records
from eve_proxy.audit.refusing import refusal
from eve_proxy.audit.rotation import FileRotation
from eve_proxy.audit.tree import Tree
from eve_proxy.interfaces import IClock, IEntropy, ISigner
from eve_proxy.model.certificate import Draft, LogLink
from eve_proxy.model.errors import JournalUnavailable

# The ``caller`` of the records that are not decisions.
CALLER = "eve_proxy.fail_closed"


def process_path(audit_log: Path, pid: int, random: str) -> Path:
    """The file's name, from EVE_PROXY_AUDIT_LOG."""
    return audit_log.absolute().with_name(f"{audit_log.stem}.lib-{pid}-{random}{audit_log.suffix}")


class ProcessJournal:
    """Opens the journal, and opens it again while that fails.

    :param audit_log: EVE_PROXY_AUDIT_LOG.
    :param sync: EVE_PROXY_AUDIT_SYNC.
    :param timeout: EVE_PROXY_AUDIT_TIMEOUT, seconds.
    :param rotate_bytes: EVE_PROXY_AUDIT_ROTATE_BYTES.
    :param create: makes the file; ``opener`` opens it again after a failed write.
    """

    def __init__(
        self,
        audit_log: Path,
        *,
        signer: ISigner,
        org_id: str,
        clock: IClock,
        entropy: IEntropy,
        sync: Literal["batch", "off"] = "batch",
        timeout: float = 5.0,
        rotate_bytes: int = 0,
        create: Opener = create_file,
        opener: Opener = open_file,
    ) -> None:
        self.timeout = timeout
        self._audit_log = audit_log
        self._signer = signer
        self._records = Records(org_id=org_id, caller=CALLER, clock=clock, entropy=entropy)
        self._clock = clock
        self._entropy = entropy
        self._sync = sync
        self._rotate_bytes = rotate_bytes
        self._create = create
        self._opener = opener
        self._lock = threading.Lock()
        self._journal: BlockingJournal | None = None
        self._closed = False

    @property
    def path(self) -> Path | None:
        """Where it is; None until it is open."""
        return None if self._journal is None else self._journal.path

    @property
    def head(self) -> LogLink | None:
        """The place that the next record takes; None until it is open."""
        return None if self._journal is None else self._journal.head

    @property
    def durable_head(self) -> LogLink | None:
        """See ``BlockingJournal.durable_head``; None until it is open."""
        return None if self._journal is None else self._journal.durable_head

    def open(self) -> BlockingJournal:
        """The open journal; its ``session_open`` is durable.

        :raises JournalUnavailable: it cannot be made.
        :raises SigningFailed: the signer does not work.
        """
        with self._lock:
            if self._journal is None:
                if self._closed:
                    raise JournalUnavailable("the journal is closed")
                try:
                    self._journal = self._begin()
                except OSError as error:
                    why = error.strerror or type(error).__name__
                    raise JournalUnavailable(f"the journal cannot be opened: {why}") from error
            return self._journal

    def submit(self, draft: Draft) -> Entry:
        """See ``BlockingJournal.submit``; opens the journal first where that is still to do."""
        journal = self._journal
        if journal is None:
            try:
                journal = self.open()
            except JournalUnavailable as error:
                raise refusal(draft, str(error), self._records, self._signer) from error
        return journal.submit(draft)

    def give_up(self, entry: Entry) -> JournalUnavailable | None:
        """See ``BlockingJournal.give_up``."""
        assert self._journal is not None
        return self._journal.give_up(entry)

    def close(self) -> None:
        """See ``BlockingJournal.close``; it is not opened again."""
        with self._lock:
            self._closed = True
            journal = self._journal
        if journal is not None:
            journal.close()

    def forget(self) -> None:
        """In a forked child: leave the file to the parent."""
        self._lock = threading.Lock()
        self._closed = True
        if self._journal is not None:
            self._journal.forget()

    def _begin(self) -> BlockingJournal:
        path = process_path(self._audit_log, os.getpid(), self._entropy.hex(8))
        make_directories(path.parent)
        tree = Tree()
        file = tree.opener(self._create)(path)
        try:
            place = write_first(
                file, first_place(self._entropy), [session_open(self._records, sync=self._sync)], self._signer
            )
            return BlockingJournal(
                path=path,
                file=file,
                rotation=FileRotation(
                    path=path, opener=tree.opener(self._opener), clock=self._clock, largest=self._rotate_bytes
                ),
                place=place,
                tree=tree,
                signer=self._signer,
                records=self._records,
                clock=self._clock,
                durable=self._sync == "batch",
                timeout=self.timeout,
            )
        except BaseException:
            file.close()
            raise
