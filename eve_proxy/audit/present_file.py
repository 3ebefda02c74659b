"""The file that a journal is written to now: appending, going on in another file, taking it up after a failed write.

The half of ``audit/journal.py`` that knows files. Blocking calls run in the committer's thread, everything else and
every answer on the reactor's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from eve_proxy.audit.committer import Offload
from eve_proxy.audit.file import FreeSpace, JournalFile
from eve_proxy.audit.recent import Standing
from eve_proxy.audit.recovery import Cut, Place, take_up
from eve_proxy.audit.rotation import FileRotation, NewFileDue
from eve_proxy.model.certificate import LogLink

_Pending: TypeAlias = tuple[bytes, bytes, LogLink, Callable[[None], object], Callable[[Failure], object]]

_log = Logger()


class PresentFile:
    """One open file, whose last durable record is at ``place``.

    :ivar place: moves when an append is durable, and to the beginning of a new file before the append that needs it.
    :ivar identity: device and inode of the file.
    :ivar closed_bytes: of the files before, less what the first one held at the start.
    :ivar warning: why a new file that is due cannot be begun, on one line; else None. Nothing is lost by it.
    """

    def __init__(
        self, file: JournalFile, place: Place, *, rotation: FileRotation, offload: Offload, durable: bool
    ) -> None:
        """``durable``: False leaves durability to the operating system (EVE_PROXY_AUDIT_SYNC=off)."""
        self._file = file
        self._rotation = rotation
        self._offload = offload
        self._durable = durable
        self._pending: _Pending
        self.place = place
        self.identity = file.identity()
        self.closed_bytes = -place.offset
        self.warning: str | None = None

    def append(
        self,
        data: bytes,
        last: bytes,
        following: LogLink,
        landed: Callable[[None], object],
        broke: Callable[[Failure], object],
    ) -> None:
        """Append whole lines, to a new file if one is due. Never called while another append is under way.

        Two callbacks instead of a Deferred: every request comes by here.

        :param last: the last line in ``data``, without its newline.
        :param following: the link that the next record takes.
        :param landed: called when they are durable.
        :param broke: or with an OSError, and then any part of them may be in the file.
        """
        self._pending = data, last, following, landed, broke
        self._offload(
            self._rotation.append, self._file, self.identity, self.place.offset, data, self._durable
        ).addCallbacks(self._landed, self._broke)

    def take_up(self) -> Deferred[Cut]:
        """After a failed append: the file as it was, on a fresh descriptor. Fires with what was cut off."""
        taken = self._offload(
            take_up, self._rotation.opener, self._rotation.path, self._file, self.identity, self.place
        )
        return taken.addCallback(self._taken_up)

    @property
    def standing(self) -> Standing:
        """How far it has come, for those who read it."""
        return Standing(identity=self.identity, end=self.place.offset)

    def free_space(self) -> FreeSpace:
        """Of its file system. Blocks."""
        return self._file.free_space()

    def close(self) -> None:
        """Give the descriptor back."""
        self._file.close()

    def _landed(self, _: None) -> None:
        data, last, following, landed, _broke = self._pending
        self.place = Place(offset=self.place.offset + len(data), last=last, next=following)
        landed(None)

    def _broke(self, failure: Failure) -> None:
        if isinstance(failure.value, NewFileDue):
            begun = self._offload(self._rotation.next_file, self.identity)
            begun.addCallbacks(self._begun, self._stay).addCallbacks(self._write, self._broke)
        else:
            self._pending[4](failure)

    def _begun(self, file: JournalFile) -> None:
        self._file.close()
        self._file, self.identity = file, file.identity()
        self.closed_bytes += self.place.offset
        self.place = Place(offset=0, last=b"", next=self.place.next)
        self.warning = None
        _log.info("the journal goes on in a new file at {path}", path=str(self._rotation.path))

    def _stay(self, failure: Failure) -> Failure | None:
        error = failure.value
        if not isinstance(error, OSError):
            return failure
        warning = f"journal displaced: {error.strerror}"
        if warning != self.warning:
            _log.error("no new file of the journal can be begun, so the old one goes on: {why}", why=str(error))
        self.warning = warning
        return None

    def _write(self, _: None) -> None:
        self._offload(self._file.append, self._pending[0], self._durable).addCallbacks(self._landed, self._broke)

    def _taken_up(self, result: tuple[JournalFile, Cut]) -> Cut:
        self._file, cut = result
        return cut
