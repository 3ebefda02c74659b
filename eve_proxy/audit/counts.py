"""How the journal is doing, in numbers: read by ``metrics/``, bumped once per commit."""

from __future__ import annotations

from collections.abc import Callable

from eve_proxy.audit.file import FreeSpace
from eve_proxy.audit.present_file import PresentFile
from eve_proxy.audit.space import SpaceWatch
from eve_proxy.counting import Latencies
from eve_proxy.interfaces import ISigner


class JournalCounts:
    """The numbers of one session.

    :param signer: whose signature the next record has.
    :ivar durable: False with EVE_PROXY_AUDIT_SYNC=off.
    :ivar appends: from handing a batch over to its being durable.
    :ivar begun_at: when the last batch was handed over (monotonic seconds).
    :ivar landed_at: when the last one became durable; at first, when the journal was opened.
    :ivar broken: commits that failed; ``stalled``: that took longer than EVE_PROXY_AUDIT_TIMEOUT.
    """

    __slots__ = ("_file", "_first", "_signer", "_space", "appends", "begun_at", "broken", "durable", "landed_at", "stalled")  # fmt: skip  # noqa: E501

    def __init__(
        self, file: PresentFile, space: SpaceWatch, signer: Callable[[], ISigner], *, durable: bool, now: float
    ) -> None:
        self._file = file
        self._space = space
        self._signer = signer
        self._first = file.place.next.seq
        self.begun_at = self.landed_at = now
        self.durable = durable
        self.appends = Latencies()
        self.broken = self.stalled = 0

    def landed(self, now: float) -> float:
        """A batch is durable: ``now``, which it gives back."""
        self.landed_at = now
        self.appends.observe(now - self.begun_at)
        return now

    @property
    def sequence(self) -> int:
        """The number that follows the last durable record's."""
        return self._file.place.next.seq

    @property
    def records(self) -> int:
        """Durable records since the journal was opened."""
        return self.sequence - self._first

    @property
    def size(self) -> int:
        """Their bytes, newlines included."""
        return self._file.closed_bytes + self._file.place.offset

    @property
    def space(self) -> FreeSpace:
        """As measured last, at most some seconds ago while there is traffic or somebody asks for readiness."""
        return self._space.space

    @property
    def key(self) -> tuple[str, str]:
        """Id and algorithm of the key that signs."""
        signer = self._signer()
        return signer.key_id, signer.algorithm
