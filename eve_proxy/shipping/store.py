"""What a shipper needs of a store, and what may go wrong there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import EveError


class StoreUnavailable(EveError):
    """The store does not answer, or not now. What it did with the last batch is unknown: ask for its end again."""


class StoreMoved(EveError):
    """Somebody else, or an attempt of ours whose answer was lost, has stored these records already: ask again."""


class StoreRefused(EveError):
    """The store can never take this as things are configured. The message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Consecutive lines of one log.

    :ivar lines: each with its newline; at least one.
    :ivar first: the place of the first line.
    :ivar following: the place that the record behind the last line takes.
    """

    first: LogLink
    following: LogLink
    lines: tuple[bytes, ...]


class Store(Protocol):
    """Somewhere that only grows. What it holds of a log is a prefix of it, without gaps."""

    def end(self, log_id: str) -> LogLink | None:
        """The place behind the last stored record of a log; None when it has none.

        :raises StoreUnavailable: try again later.
        :raises StoreRefused: it will not help.
        """

    def append(self, batch: Batch) -> None:
        """Store the whole batch, durably, or nothing of it. ``batch.first`` is at the log's end.

        :raises StoreUnavailable: perhaps stored, perhaps not.
        :raises StoreMoved: the log's end is elsewhere; nothing was stored.
        :raises StoreRefused: it will not help.
        """

    def close(self) -> None:
        """Let go of connections. Never raises."""
