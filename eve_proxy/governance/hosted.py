"""The hosted governor: one question per exchange over a warm connection (governance-api.md).

The caller's deadline guards every call (``governance/deadline.py``); nothing here waits on its own account.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import CancelledError
from zope.interface import implementer

from eve_proxy.counting import Latencies
from eve_proxy.governance.breaker import Breaker, State
from eve_proxy.governance.decision_service import CONCURRENCY, DecisionService
from eve_proxy.governance.errors import CredentialRefused, RateLimited
from eve_proxy.governance.slots import Slots
from eve_proxy.interfaces import IGovernanceTransport, IGovernor
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import Verdict


class Account(Protocol):
    """Counts bytes in memory (``transport.limits.BufferAccount``)."""

    def take(self, size: int) -> None:
        """Enter more; raises Overloaded when there is no room."""

    def give_back(self, size: int) -> None:
        """They are no longer held."""


@implementer(IGovernor)
class HostedGovernor:
    """Asks a decision service.

    :param transport: carries one question.
    :param account: where the bytes of questions under way are counted.
    :param concurrency: calls under way at most; what waits does so within the caller's deadline, in order of arrival.
    :param patience: seconds on the wire after which a cancelled call counts as a timeout; cancelled sooner, it was the
        client who left. Half of EVE_PROXY_ENFORCE_TIMEOUT is a good value.
    :ivar latency: of the calls that were made, from the question to the answer, or to how else it ended.
    """

    def __init__(
        self,
        transport: IGovernanceTransport,
        service: DecisionService,
        *,
        breaker: Breaker,
        account: Account,
        concurrency: int = CONCURRENCY,
        patience: float = 1.0,
    ) -> None:
        self.name = service.name
        self._transport = transport
        self._service = service
        self._headers = service.headers()
        self.breaker = breaker
        self._account = account
        self.slots = Slots(concurrency)
        self._clock = service.clock
        self._patience = patience
        self.latency = Latencies()
        self._credential_refused = False
        self._retry_at: float | None = None

    async def evaluate(self, exchange: Exchange) -> Verdict:
        """The service's verdict.

        :raises Overloaded: there is no room for the question.
        :raises GovernorUnavailable: the breaker is open, or the service could not be reached.
        :raises GovernorMisbehaved: it answered something that is not a verdict on this exchange.
        """
        slots, breaker, clock, service = self.slots, self.breaker, self._clock, self._service
        if not slots.take():
            breaker.check()  # nobody queues before a closed door
            await slots.wait()
        try:
            ticket, asked_at = breaker.admit(), clock.monotonic()
            # How the call ends for the breaker. A failure of ours before anything was sent says nothing of the service.
            end, size = breaker.abandoned, 0
            try:
                question = service.question(exchange)
                self._account.take(len(question.body))
                size = len(question.body)
                end = breaker.unreachable
                answer = await self._transport.call(service.path, self._headers, question.body)
                end = breaker.upset
                verdict = service.verdict(question, answer)
                end = breaker.answered
                self._credential_refused, self._retry_at = False, None
                return verdict
            except CancelledError:
                if clock.monotonic() - asked_at < self._patience:
                    end = breaker.abandoned
                raise
            except GovernorMisbehaved as error:
                end = breaker.upset
                self._remember(error)
                raise
            finally:
                end(ticket)
                self.latency.observe(clock.monotonic() - asked_at)
                self._account.give_back(size)
        finally:
            slots.release()

    @property
    def retry_after(self) -> float | None:
        """Seconds for which a service that answered 429 still asks for patience, or None."""
        if self._retry_at is None:
            return None
        left = self._retry_at - self._clock.monotonic()
        return left if left > 0 else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What readiness should say about the service; empty when all is well."""
        said = []
        if self.breaker.state is not State.CLOSED:
            said.append("governance breaker open")
        if self._credential_refused:
            said.append("governance credential refused")
        if self.retry_after is not None:
            said.append("governance rate limited")
        return tuple(said)

    @property
    def problem(self) -> str | None:
        """Why no call is made now, or None.

        While the breaker probes this is None already: whoever is unready gets no requests, and without one there is
        nothing to probe with.
        """
        return "governance breaker open" if self.breaker.state is State.OPEN else None

    def _remember(self, error: GovernorMisbehaved) -> None:
        self._credential_refused = isinstance(error, CredentialRefused)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            self._retry_at = self._clock.monotonic() + error.retry_after
