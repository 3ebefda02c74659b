"""When a journal is checkpointed: every 1,000 records, every 60 s if there were any, and at its end (evidence.md).

A checkpoint is a signed file beside the journal, and a ``checkpoint`` record in it that says the same. Nobody waits
for either, and a failure costs nothing but that checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from eve_proxy.audit.checkpoint_file import RECORDS, SECONDS, CheckpointFile
from eve_proxy.audit.committer import Offload
from eve_proxy.audit.tree import CHECKPOINT
from eve_proxy.model.errors import JournalUnavailable, SigningFailed

_log = Logger()


class Checkpoints:
    """Of one journal.

    :param note: writes a record: kind, reason, details (``Journal.note``).
    :param size: records at the beginning.
    """

    def __init__(
        self,
        file: CheckpointFile,
        note: Callable[[str, str, dict[str, Any]], Deferred[Any]],
        *,
        offload: Offload,
        timers: IReactorTime,
        size: int,
    ) -> None:
        self._file = file
        self._note = note
        self._offload = offload
        self._timers = timers
        self._covered = size
        self._settled = size  # a journal of this size has nothing new in it
        self._size = size
        self._making = False
        self._well = True
        self._timer: IDelayedCall | None = timers.callLater(SECONDS, self._minute)

    def landed(self, size: int) -> None:
        """The journal has ``size`` durable records now."""
        self._size = size
        if size - self._covered >= RECORDS:
            self._make()

    def end(self, _: object) -> Deferred[None]:
        """Checkpoint a journal whose ``session_close`` is durable. Fires when that is done, or has failed, or hangs."""
        ended: Deferred[None] = Deferred()
        alarm = self._timers.callLater(1.0, ended.callback, None)

        def done(_: object) -> None:
            if alarm.active():
                alarm.cancel()
                ended.callback(None)

        self._offload(self._file.write).addErrback(self._failed).addCallback(done)
        return ended

    def stop(self) -> None:
        """No more of them."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _minute(self) -> None:
        self._timer = self._timers.callLater(SECONDS, self._minute)
        if self._size > self._settled:
            self._make()

    def _make(self) -> None:
        if self._making or self._timer is None:
            return
        self._making = True
        self._offload(self._file.write).addCallbacks(self._made, self._failed).addBoth(self._over)

    def _made(self, said: dict[str, Any] | None) -> Deferred[Any] | None:
        if said is None:
            # The tree is not known, and will not be: asked again only when the next checkpoint would be due.
            self._covered = self._settled = self._size
            return None
        if self._timer is None:
            return None
        self._covered, self._well = said["size"], True
        self._settled = self._covered + 1  # the record below is no news
        return self._note(CHECKPOINT, "the journal so far", said).addErrback(_unrecorded)

    def _failed(self, failure: Failure) -> None:
        self._covered = self._settled = self._size  # the next one is tried when it would be due
        if self._well:
            self._well = False
            _log.error("no checkpoint could be written: {error}", error=failure.getErrorMessage())

    def _over(self, _: object) -> None:
        self._making = False


def _unrecorded(failure: Failure) -> None:
    # The journal says itself what is wrong with it; the next checkpoint comes all the same.
    failure.trap(JournalUnavailable, SigningFailed)  # type: ignore[no-untyped-call]
