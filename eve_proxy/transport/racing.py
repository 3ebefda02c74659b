"""One connection to the first of several addresses that answers (RFC 8305 section 5, "Happy Eyeballs").

There is no name in here: addresses come in, so nothing can be looked up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectError, ConnectionRefusedError, TCPTimedOutError, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.errors import UpstreamFailed

# RFC 8305 section 5: "Connection Attempt Delay", recommended value.
STAGGER = 0.25


class Race:
    """Attempts in the order given, each begun when the one before fails or takes longer than ``stagger``.

    :param build: makes the protocol for the winner, given its address; called at most once.
    :param failed: called at most once, when no address is left, with a text for the client.
    :param closed: called when the winner's connection has closed, whatever protocol it had by then.
    :param timeout: seconds for all attempts together.
    :param tls: a TLS client to put on top, or None.
    """

    def __init__(
        self,
        addresses: Sequence[IPAddress],
        port: int,
        *,
        reactor: IReactorTCP,
        clock: IReactorTime,
        build: Callable[[IPAddress], IProtocol],
        failed: Callable[[UpstreamFailed], object],
        closed: Callable[[], object],
        timeout: float,
        stagger: float = STAGGER,
        tls: IOpenSSLClientConnectionCreator | None = None,
    ) -> None:
        self._addresses = list(reversed(addresses))
        self._port = port
        self._reactor = reactor
        self._clock = clock
        self._build = build
        self._failed = failed
        self._closed = closed
        self._timeout = timeout
        self._stagger = stagger
        self._tls = tls
        self._deadline = clock.seconds() + timeout
        self._pending: dict[_Attempt, IConnector | None] = {}
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
        address = self._addresses.pop()
        attempt = _Attempt(self, address)
        self._pending[attempt] = None
        factory: Any = attempt
        if self._tls is not None:
            factory = TLSMemoryBIOFactory(self._tls, True, attempt)
            factory.noisy = False
        left = max(0.0, self._deadline - self._clock.seconds())
        connector = self._reactor.connectTCP(str(address), self._port, factory, left)
        if attempt in self._pending:
            self._pending[attempt] = connector
        if self._addresses and not self._over:
            self._next = self._clock.callLater(self._stagger, self._stagger_over)

    def _stagger_over(self) -> None:
        self._next = None
        self._begin()

    def won(self, attempt: _Attempt) -> IProtocol:
        """``attempt`` is connected."""
        if self._over:
            return _Superfluous()
        del self._pending[attempt]
        self.cancel()
        attempt.winner = True
        return self._build(attempt.address)

    def attempt_failed(self, attempt: _Attempt, reason: Failure) -> None:
        """``attempt`` came to nothing."""
        if self._over or attempt not in self._pending:
            return
        del self._pending[attempt]
        if self._addresses:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            self._begin()
        elif not self._pending:
            self._over = True
            self._failed(UpstreamFailed(describe_connect_error(reason, self._timeout)))

    def closed(self) -> None:
        """The winner's connection has closed."""
        self._closed()


def describe_connect_error(reason: Failure, timeout: float) -> str:
    """A few words for whoever waits: ``connection refused``."""
    error = reason.value
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError | TCPTimedOutError):
        return f"timed out after {timeout:g} s"
    number = getattr(error, "osError", None)
    if isinstance(error, ConnectError) and isinstance(number, int):
        return os.strerror(number).lower()
    return "cannot connect"


class _Attempt(ClientFactory[Any]):
    """One address."""

    noisy = False

    def __init__(self, race: Race, address: IPAddress) -> None:
        self._race = race
        self.address = address
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
