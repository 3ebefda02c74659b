"""The hosted governor for threads: the same service and breaker as ``governance/hosted.py``, no reactor.

Its caller's deadline guards every call; ``within`` says how long one may take, so that no thread outlives its caller
for long.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.decision_service import CONCURRENCY, DecisionService
from eve_proxy.interfaces import IGovernor
from eve_proxy.model.errors import GovernorMisbehaved, GovernorUnavailable
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator


class BlockingTransport(Protocol):
    """Carries one question (``blocking_http.BlockingHttp``)."""

    def call(self, path: str, headers: Headers, body: bytes, seconds: float) -> tuple[int, Headers, bytes]:
        """POST; blocks at most ``seconds``. Raises GovernorUnavailable and GovernorMisbehaved."""


@implementer(IGovernor)
class BlockingGovernor:
    """Asks a decision service. ``evaluate`` is a coroutine that blocks and never waits: a thread drives it.

    :param transport: carries one question.
    :param concurrency: calls under way at most; what waits does so within its own time.
    :param seconds: for one call, waiting included.
    """

    def __init__(
        self,
        transport: BlockingTransport,
        service: DecisionService,
        *,
        breaker: Breaker,
        concurrency: int = CONCURRENCY,
        seconds: float = 2.0,
    ) -> None:
        self.name = service.name
        self._transport = transport
        self._service = service
        self._headers = service.headers()
        self._breaker = breaker
        self._breaker_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(concurrency)
        self._seconds = seconds

    def within(self, seconds: float) -> IGovernor:
        """The same governor, breaker and all, for a call that may take ``seconds``."""
        return _Within(self, seconds)

    async def evaluate(self, exchange: Exchange) -> Verdict:
        """The service's verdict.

        :raises GovernorUnavailable: the breaker is open, or the service could not be reached in time.
        :raises GovernorMisbehaved: it answered something that is not a verdict on this exchange.
        """
        return self.ask(exchange, self._seconds)

    def ask(self, exchange: Exchange, seconds: float) -> Verdict:
        """See ``evaluate``; blocks at most ``seconds``."""
        service = self._service
        until = service.clock.monotonic() + seconds
        with self._slot(seconds):
            with self._breaker_lock:
                ticket = self._breaker.admit()
            # How the call ends for the breaker. A failure of ours before anything was sent says nothing about it.
            end = self._breaker.abandoned
            try:
                question = service.question(exchange)
                end = self._breaker.unreachable
                left = until - service.clock.monotonic()
                answer = self._transport.call(service.path, self._headers, question.body, left)
                end = self._breaker.upset
                verdict = service.verdict(question, answer)
                end = self._breaker.answered
                return verdict
            except GovernorMisbehaved:
                end = self._breaker.upset
                raise
            finally:
                with self._breaker_lock:
                    end(ticket)

    @contextmanager
    def _slot(self, seconds: float) -> Iterator[None]:
        if not self._slots.acquire(blocking=False):
            with self._breaker_lock:
                self._breaker.check()  # nobody queues before a closed door
            if not self._slots.acquire(timeout=max(0.0, seconds)):
                raise GovernorUnavailable("governance service: too many calls are under way")
        try:
            yield
        finally:
            self._slots.release()


@implementer(IGovernor)
class _Within:
    """A governor with less, or more, time."""

    __slots__ = ("_governor", "_seconds", "name")

    def __init__(self, governor: BlockingGovernor, seconds: float) -> None:
        self.name = governor.name
        self._governor = governor
        self._seconds = seconds

    async def evaluate(self, exchange: Exchange) -> Verdict:
        return self._governor.ask(exchange, self._seconds)
