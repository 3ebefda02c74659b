"""One connection to the first of several targets that answers (RFC 8305 section 5, "Happy Eyeballs").

The only module that opens connections. There is no name in here: addresses come in, so nothing can be looked up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast
from typing import Protocol as Structural

from twisted.internet.error import ConnectError, ConnectionRefusedError, TCPTimedOutError, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IReactorTCP,
    IReactorTime,
    IReactorUNIX,
)
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.errors import UpstreamFailed

# RFC 8305 section 5: "Connection Attempt Delay", recommended value.
STAGGER = 0.25


class NoOtherWay(UpstreamFailed):
    """What failed lies before every target: there is no point in trying another one."""


class Connecting(Structural):
    """An attempt under way: an ``IConnector``, or what behaves like one."""

    def disconnect(self) -> None:
        """Stop it."""


T = TypeVar("T")
Dial = Callable[[T, "ClientFactory[Any]", float], Connecting]


def tcp(reactor: IReactorTCP, port: int, *, tls: IOpenSSLClientConnectionCreator | None = None) -> Dial[IPAddress]:
    """Dials addresses at ``port``, with TLS on top if wanted."""

    def dial(address: IPAddress, factory: ClientFactory[Any], timeout: float) -> Connecting:
        if tls is not None:
            factory = cast(Any, TLSMemoryBIOFactory(tls, True, factory))
            factory.noisy = False
        return cast(Connecting, reactor.connectTCP(str(address), port, factory, timeout))

    return dial


def unix(reactor: IReactorUNIX) -> Dial[str]:
    """Dials the paths of Unix sockets."""

    def dial(path: str, factory: ClientFactory[Any], timeout: float) -> Connecting:
        return cast(Connecting, reactor.connectUNIX(path, factory, timeout))

    return dial


class Race(Generic[T]):
    """Attempts in the order given, each begun when the one before fails or takes longer than ``stagger``.

    :param dial: begins one attempt (``tcp``, ``unix``).
    :param build: makes the protocol for the winner, given its target; called at most once.
    :param failed: called at most once, when no target is left, with a text for the client.
    :param closed: called when the winner's connection has closed, whatever protocol it had by then.
    :param timeout: seconds for all attempts together.
    """

    def __init__(
        self,
        targets: Sequence[T],
        dial: Dial[T],
        *,
        clock: IReactorTime,
        build: Callable[[T], IProtocol],
        failed: Callable[[UpstreamFailed], object],
        closed: Callable[[], object],
        timeout: float,
        stagger: float = STAGGER,
    ) -> None:
        self._targets = list(reversed(targets))
        self._dial = dial
        self._clock = clock
        self._build = build
        self._failed = failed
        self._closed = closed
        self._timeout = timeout
        self._stagger = stagger
        self._deadline = clock.seconds() + timeout
        self._pending: dict[_Attempt[T], Connecting | None] = {}
        self._next: IDelayedCall | None = None
        self._over = False

    def start(self) -> None:
        """Begin the first attempt."""
        self._begin()

    def cancel(self) -> None:
        """Stop every attempt; neither ``build`` nor ``failed`` is called any more."""
        self._over = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        pending, self._pending = self._pending, {}
        for connector in pending.values():
            if connector is not None:
                connector.disconnect()

    def _begin(self) -> None:
        target = self._targets.pop()
        attempt = _Attempt(self, target)
        self._pending[attempt] = None
        connector = self._dial(target, attempt, max(0.0, self._deadline - self._clock.seconds()))
        if attempt in self._pending:
            self._pending[attempt] = connector
        if self._targets and not self._over:
            self._next = self._clock.callLater(self._stagger, self._stagger_over)

    def _stagger_over(self) -> None:
        self._next = None
        self._begin()

    def won(self, attempt: _Attempt[T]) -> IProtocol:
        """``attempt`` is connected."""
        if self._over:
            return _Superfluous()
        del self._pending[attempt]
        self.cancel()
        attempt.winner = True
        return self._build(attempt.target)

    def attempt_failed(self, attempt: _Attempt[T], reason: Failure) -> None:
        """``attempt`` came to nothing."""
        if self._over or attempt not in self._pending:
            return
        del self._pending[attempt]
        final = isinstance(reason.value, NoOtherWay)
        if self._targets and not final:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            self._begin()
        elif final or not self._pending:
            self.cancel()
            self._failed(UpstreamFailed(describe_connect_error(reason, self._timeout)))

    def closed(self) -> None:
        """The winner's connection has closed."""
        self._closed()


def describe_connect_error(reason: Failure, timeout: float) -> str:
    """A few words for whoever waits: ``connection refused``."""
    error = reason.value
    if isinstance(error, UpstreamFailed):  # said by whoever is in between
        return str(error)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError | TCPTimedOutError):
        return f"timed out after {timeout:g} s"
    number = getattr(error, "osError", None)
    if isinstance(error, ConnectError) and isinstance(number, int):
        return os.strerror(number).lower()
    return "cannot connect"


class _Attempt(ClientFactory[Any], Generic[T]):
    """One target."""

    noisy = False

    def __init__(self, race: Race[T], target: T) -> None:
        self._race = race
        self.target = target
        self.winner = False

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._race.won(self)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._race.attempt_failed(self, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        if self.winner:
            self._race.closed()


class _Superfluous(Protocol):
    """A second winner of the same turn of the reactor."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()
