"""The hosted governor: one question per exchange over a warm connection (governance-api.md).

The caller's deadline guards every call (``governance/deadline.py``); nothing here waits on its own account.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from twisted.internet.defer import CancelledError
from zope.interface import implementer

from eve_proxy.governance.breaker import Breaker, State
from eve_proxy.governance.codec import EVALUATE, decode, encode
from eve_proxy.governance.credential import Credential
from eve_proxy.governance.errors import CredentialRefused, RateLimited
from eve_proxy.governance.redaction import Redactor
from eve_proxy.governance.slots import Slots
from eve_proxy.governance.witness import NOBODY, Witnesses
from eve_proxy.interfaces import IClock, IGovernanceTransport, IGovernor
from eve_proxy.model.certificate import LogLink, RequestDigest
from eve_proxy.model.digest import request_digest
from eve_proxy.model.errors import GovernorMisbehaved
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Verdict
from eve_proxy.signing.seal import timestamp

CONCURRENCY: Final = 256
_JSON: Final = ((b"content-type", b"application/json"), (b"accept", b"application/json"))


@implementer(IGovernor)
class HostedGovernor:
    """Asks a decision service.

    :param transport: carries one question.
    :param name: the certificate's ``governor`` (``GovernanceAddress.name``).
    :param policy_set: EVE_PROXY_POLICY_SET.
    :param credential: the header that says who we are, or None.
    :param concurrency: calls under way at most; what waits does so within the caller's deadline, in order of arrival.
    :param chain_head: the journal's durable head for ``context.log``, or None when it has none.
    :param witnesses: what is asked of the signature of an answer.
    :param allow_modify: EVE_PROXY_ALLOW_MODIFY.
    :param path: base path and ``/v1/decisions/evaluate`` (``GovernanceAddress.path``).
    :param patience: seconds on the wire after which a cancelled call counts as a timeout; cancelled sooner, it was the
        client who left. Half of EVE_PROXY_ENFORCE_TIMEOUT is a good value.
    """

    def __init__(
        self,
        transport: IGovernanceTransport,
        *,
        name: str,
        policy_set: str,
        redactor: Redactor,
        breaker: Breaker,
        clock: IClock,
        chain_head: Callable[[], LogLink | None],
        witnesses: Witnesses = NOBODY,
        credential: Credential | None = None,
        concurrency: int = CONCURRENCY,
        allow_modify: bool = False,
        path: str = EVALUATE,
        patience: float = 1.0,
    ) -> None:
        self.name = name
        self._transport = transport
        self._policy_set = policy_set
        self._redactor = redactor
        self._breaker = breaker
        self._clock = clock
        self._chain_head = chain_head
        self._witnesses = witnesses
        self._headers = Headers.of(_JSON if credential is None else (*_JSON, (credential.name, credential.value)))
        self._slots = Slots(concurrency)
        self._allow_modify = allow_modify
        self._path = path
        self._patience = patience
        self._credential_refused = False
        self._retry_at: float | None = None

    async def evaluate(self, exchange: Exchange) -> Verdict:
        """The service's verdict.

        :raises GovernorUnavailable: the breaker is open, or the service could not be reached.
        :raises GovernorMisbehaved: it answered something that is not a verdict on this exchange.
        """
        slots, breaker, clock = self._slots, self._breaker, self._clock
        if not slots.take():
            breaker.check()  # nobody queues before a closed door
            await slots.wait()
        try:
            ticket, asked_at = breaker.admit(), clock.monotonic()
            # How the call ends for the breaker. A failure of ours before anything was sent says nothing of the service.
            end = breaker.abandoned
            try:
                digest, head = request_digest(exchange), self._chain_head()
                question = self._question(exchange, digest, head)
                end = breaker.unreachable
                answer = await self._transport.call(self._path, self._headers, question)
                end = breaker.upset
                verdict = self._verdict(answer, exchange.id, digest, head)
                end = breaker.answered
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
        if self._breaker.state is not State.CLOSED:
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
        return "governance breaker open" if self._breaker.state is State.OPEN else None

    def _question(self, exchange: Exchange, digest: RequestDigest, head: LogLink | None) -> bytes:
        return encode(
            exchange,
            digest=digest,
            timestamp=timestamp(self._clock.wall()),
            policy_set=self._policy_set,
            redactor=self._redactor,
            log=head,
        )

    def _verdict(
        self, answer: tuple[int, Headers, bytes], request_id: str, digest: RequestDigest, head: LogLink | None
    ) -> Verdict:
        status, headers, body = answer
        verdict = decode(
            status,
            headers,
            body,
            request_id=request_id,
            name=self.name,
            policy_set=self._policy_set,
            allow_modify=self._allow_modify,
            witness=partial(self._witnesses.accept, request_id, digest, head),
        )
        self._credential_refused, self._retry_at = False, None
        return verdict

    def _remember(self, error: GovernorMisbehaved) -> None:
        self._credential_refused = isinstance(error, CredentialRefused)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            self._retry_at = self._clock.monotonic() + error.retry_after
