"""What every relay keeps: counts, the idle clock, why it ended, and one report when both connections are closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from eve_proxy.transport.watchdog import Watchdog


class Ending(Enum):
    """Why a relay ended, or another exchange that was let go; the value stands in ``outcome`` records.

    A relay: both sides had finished; a side broke off; nothing moved; we broke it off. A request: its response was
    complete; it broke off in the middle, or there was none; the client went away. A tunnel that was not relayed: ended
    by a rule.
    """

    CLOSED = "closed"
    RESET = "reset"
    IDLE = "idle"
    ABORTED = "aborted"
    COMPLETE = "complete"
    FAILED = "failed"
    ABANDONED = "abandoned"
    SEVERED = "severed"


class Side(Enum):
    """Who ended it; ``PROXY`` for the idle clock, for a rule and for a shutdown."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReport:
    """The end of a tunnel.

    :ivar to_upstream: bytes taken from the client's side, those that were read before the relay began included.
    :ivar to_downstream: bytes taken from the origin's side, and what the client was to get first.
    :ivar ending: CLOSED only if everything that was taken was also handed to the kernel.
    :ivar ended_by: who closed last, or broke off.
    :ivar seconds: how long it lasted.
    """

    to_upstream: int
    to_downstream: int
    ending: Ending
    ended_by: Side
    seconds: float


class RelayAccount:
    """Counts and time of one relay.

    The idle clock runs until both connections are closed: a peer that never reads the last bytes is not waited for.

    :param idle_timeout: seconds in which nothing moves in either direction.
    :param closed: gets the report, exactly once.
    :ivar idle: called when they have passed.
    """

    __slots__ = (
        "_by",
        "_clock",
        "_closed",
        "_ending",
        "_idle_timeout",
        "_open",
        "_started",
        "_watchdog",
        "counts",
        "idle",
    )

    def __init__(
        self,
        *,
        clock: IReactorTime,
        idle_timeout: float,
        closed: Callable[[RelayReport], object],
    ) -> None:
        self._clock = clock
        self._idle_timeout = idle_timeout
        self._closed = closed
        self._started = clock.seconds()
        self._ending = Ending.CLOSED
        self._by = Side.PROXY
        self._open = 2
        self.idle: Callable[[], object] | None = None
        self._watchdog = Watchdog(clock, self._expired)
        self.counts = {Side.UPSTREAM: 0, Side.DOWNSTREAM: 0}
        self._watchdog.set(idle_timeout)

    def moved(self, towards: Side, size: int) -> None:
        """``size`` bytes are on their way ``towards`` a side; 0 says only that something moves."""
        self.counts[towards] += size
        if self._open:
            self._watchdog.set(self._idle_timeout)

    def ends(self, ending: Ending, by: Side) -> None:
        """Note a reason. The first one stays, but an orderly end can still turn into another one."""
        if self._ending is Ending.CLOSED and (ending is not Ending.CLOSED or self._by is Side.PROXY):
            self._ending, self._by = ending, by

    def gone(self, side: Side, reason: Failure) -> bool:
        """A side's connection is closed.

        :returns: whether it closed in an orderly way.
        """
        orderly = isinstance(reason.value, ConnectionDone)
        if orderly:
            self.ends(Ending.CLOSED, side)
        elif isinstance(reason.value, ConnectionAborted):
            self.ends(Ending.ABORTED, Side.PROXY)
        else:
            self.ends(Ending.RESET, side)
        self._open -= 1
        if not self._open:
            self._watchdog.stop()
            self._closed(
                RelayReport(
                    to_upstream=self.counts[Side.UPSTREAM],
                    to_downstream=self.counts[Side.DOWNSTREAM],
                    ending=self._ending,
                    ended_by=self._by,
                    seconds=self._clock.seconds() - self._started,
                )
            )
        return orderly

    def _expired(self) -> None:
        if self.idle is not None:
            self.idle()


class Relay(ABC):
    """A tunnel that is open, whoever moves its bytes."""

    def __init__(self, account: RelayAccount) -> None:
        self._account = account
        account.idle = self._idle

    @abstractmethod
    def start(self, *, to_upstream: bytes, to_downstream: bytes) -> None:
        """Take the transports over, send what waits, read."""

    @property
    def to_upstream(self) -> int:
        """Bytes so far."""
        return self._account.counts[Side.UPSTREAM]

    @property
    def to_downstream(self) -> int:
        """Bytes so far."""
        return self._account.counts[Side.DOWNSTREAM]

    def abort(self) -> None:
        """Reset both connections; the report follows when they are closed."""
        self._break(Ending.ABORTED, Side.PROXY)

    def _idle(self) -> None:
        self._break(Ending.IDLE, Side.PROXY)

    @abstractmethod
    def _break(self, ending: Ending, by: Side) -> None:
        """Note why, and reset both connections."""
