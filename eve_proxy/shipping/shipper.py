"""The loop that copies: one batch in memory, whatever the store does; what it holds is the only thing remembered.

Nothing is written down about progress. At the start, and whenever an answer was lost, the store is asked where a log
ends, and the next batch begins there: so a shipper can be killed at any moment, and run twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eve_proxy.model.certificate import LogLink
from eve_proxy.shipping.source import ChainBroken, RecordsMissing, Source
from eve_proxy.shipping.store import Store, StoreMoved, StoreUnavailable

_FIRST_PAUSE: Final = 0.5  # seconds; doubled up to
_LONGEST_PAUSE: Final = 60.0


class Shipper:
    """Copies every log of ``source`` to ``store``.

    :param wait: seconds to pause; True when it is time to stop. The only thing here that takes time.
    :param random: from 0 to 1, so that many shippers do not return to a store all at once.
    :param say: a line for the operator.
    :ivar shipped: records so far.
    :ivar faults: what keeps logs from being copied, by log id.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        *,
        wait: Callable[[float], bool],
        random: Callable[[], float],
        say: Callable[[str], object],
    ) -> None:
        self._source = source
        self._store = store
        self._wait = wait
        self._random = random
        self._say = say
        self._ends: dict[str, LogLink | None] = {}
        self._pause = 0.0
        self.shipped = 0
        self.faults: dict[str, str] = {}

    def follow(self, every: float) -> None:
        """Copy what comes, until told to stop.

        :param every: seconds between two looks.
        :raises StoreRefused: the store will never take it.
        """
        while self.once() and not self._wait(every):
            pass

    def once(self) -> bool:
        """Copy all that is there.

        :returns: False when told to stop meanwhile.
        :raises StoreRefused: the store will never take it.
        :raises OSError: the directory cannot be read.
        """
        return all(self._log(log_id) for log_id in self._source.logs())

    def _log(self, log_id: str) -> bool:
        try:
            while self._step(log_id):
                self.faults.pop(log_id, None)
        except _Stop:
            return False
        except (RecordsMissing, ChainBroken, OSError) as error:
            if self.faults.get(log_id) != str(error):
                self._say(f"not shipped: {error}")
            self.faults[log_id] = str(error)
        return True

    def _step(self, log_id: str) -> bool:
        """One batch, or one attempt; False when there is nothing to copy."""
        try:
            if log_id not in self._ends:
                self._ends[log_id] = self._store.end(log_id)
            batch = self._source.read(log_id, self._ends[log_id])
            if batch is None:
                return False
            self._store.append(batch)
        except StoreMoved:
            self._later(log_id, None)
        except StoreUnavailable as error:
            self._later(log_id, str(error))
        else:
            self._ends[log_id] = batch.following
            self.shipped += len(batch.lines)
            self._say(f"shipped {len(batch.lines)} records of {log_id}, up to {batch.following.seq - 1}")
            self._pause = 0.0
        return True

    def _later(self, log_id: str, why: str | None) -> None:
        self._ends.pop(log_id, None)
        self._pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * self._pause))
        pause = self._pause * (0.5 + 0.5 * self._random())
        if why is not None:
            self._say(f"the store is unavailable ({why}); the next try in {pause:.1f} s")
        if self._wait(pause):
            raise _Stop


class _Stop(Exception):
    """Told to stop while waiting."""
