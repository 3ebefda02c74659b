"""What the service manager is told of the daemon's life, and when (sd_notify(3))."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from eve_proxy.interfaces import IClock
from eve_proxy.systemd.notify import Notifier
from eve_proxy.systemd.pulse import Pulse
from eve_proxy.systemd.surroundings import Surroundings

# Seconds after which STATUS= follows what has changed.
GLANCE: Final = 5.0
_MICROSECONDS: Final = 1_000_000


class Reports:
    """Says nothing where nobody wants to hear it.

    :param clock: ``monotonic`` is CLOCK_MONOTONIC, as the manager's.
    :param timers: the reactor.
    :param notifier: made of ``surroundings`` when not given.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        clock: IClock,
        timers: IReactorTime,
        notifier: Callable[..., Notifier] = Notifier,
    ) -> None:
        where = surroundings.notify
        self._notifier = None if where is None else notifier(where, timers=timers)
        self._watchdog = surroundings.watchdog
        self._clock = clock
        self._timers = timers
        self._status: Callable[[], str] = str
        self._said = ""
        self._glances = LoopingCall(self._glance)
        self._glances.clock = timers

    def opening(self, what: str) -> None:
        """Not ready yet, and why that may take a while."""
        self._tell(STATUS=what)

    def ready(self, status: Callable[[], str], ask: Callable[..., Deferred[Any]]) -> None:
        """It listens. From now on the watchdog hears of us.

        :param status: what it does at the moment, in one line.
        :param ask: as for ``Pulse``.
        """
        if self._notifier is None:
            return
        self._status = status
        self._said = status()
        self._tell(READY=1, STATUS=self._said)
        self._glances.start(GLANCE, now=False)
        if self._watchdog is not None:
            # Half of it: one beat may come late (sd_watchdog_enabled(3)).
            Pulse(
                lambda: self._tell(WATCHDOG=1),
                every=self._watchdog / 2,
                ask=ask,
                monotonic=self._clock.monotonic,
                timers=self._timers,
            ).start()

    def reloading(self, done: Callable[[], Deferred[None]]) -> None:
        """Say that settings are read again, do it, and say that it is over, however it went."""
        # Both lines, as Type=notify-reload wants them (systemd 253); Type=notify reads the first.
        self._tell(RELOADING=1, MONOTONIC_USEC=int(self._clock.monotonic() * _MICROSECONDS))
        done().addBoth(self._reloaded)

    def stopping(self, status: str, within: float) -> None:
        """The end has begun.

        :param within: seconds that it may take; TimeoutStopSec= is stretched to it.
        """
        if self._glances.running:
            self._glances.stop()
        self._tell(STOPPING=1, STATUS=status, EXTEND_TIMEOUT_USEC=int(within * _MICROSECONDS))

    def _reloaded(self, outcome: object) -> object:
        if self._glances.running:  # not on the way out
            self._said = self._status()
            self._tell(READY=1, STATUS=self._said)
        return outcome

    def _glance(self) -> None:
        status = self._status()
        if status != self._said:
            self._said = status
            self._tell(STATUS=status)

    def _tell(self, **assignments: object) -> None:
        if self._notifier is not None:
            self._notifier.tell(**assignments)
