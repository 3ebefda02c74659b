"""The hosted governor for threads: the same codec, breaker and credential as ``governance/hosted.py``, no reactor.

Its caller's deadline guards every call; ``within`` says how long one may take, so that no thread outlives its caller
for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.codec import EVALUATE, decode, encode
from eve_proxy.governance.credential import Credential
from eve_proxy.governance.redaction import Redactor
from eve_proxy.governance.witness import NOBODY, Witnesses
from eve_proxy.interfaces import IClock, IGovernor
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.digest import request_digest
from eve_proxy.model.errors import GovernorMisbehaved, GovernorUnavailable
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Verdict
from eve_proxy.signing.seal import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

_JSON = ((b"Content-Type", b"application/json"), (b"Accept", b"application/json"))


class BlockingTransport(Protocol):
    """Carries one question (``blocking_http.BlockingHttp``)."""

    def call(self, path: str, headers: Headers, body: bytes, seconds: float) -> tuple[int, Headers, bytes]:
        """POST; blocks at most ``seconds``. Raises GovernorUnavailable and GovernorMisbehaved."""


@implementer(IGovernor)
class BlockingGovernor:
    """Asks a decision service. ``evaluate`` is a coroutine that blocks and never waits: a thread drives it.

    :param transport: carries one question.
    :param name: the certificate's ``governor`` (``GovernanceAddress.name``).
    :param policy_set: EVE_PROXY_POLICY_SET.
    :param chain_head: the journal's durable head for ``context.log``, or None when it has none.
    :param witnesses: what is asked of the signature of an answer.
    :param credential: the header that says who we are, or None.
    :param concurrency: calls under way at most; what waits does so within its own time.
    :param path: base path and ``/v1/decisions/evaluate`` (``GovernanceAddress.path``).
    :param seconds: for one call, waiting included.
    """

    def __init__(
        self,
        transport: BlockingTransport,
        *,
        name: str,
        policy_set: str,
        redactor: Redactor,
        breaker: Breaker,
        clock: IClock,
        chain_head: Callable[[], LogLink | None],
        witnesses: Witnesses = NOBODY,
        credential: Credential | None = None,
        concurrency: int = 256,
        path: str = EVALUATE,
        seconds: float = 2.0,
    ) -> None:
        self.name = name
        self._transport = transport
        self._policy_set = policy_set
        self._redactor = redactor
        self._breaker = breaker
        self._breaker_lock = threading.Lock()
        self._clock = clock
        self._chain_head = chain_head
        self._witnesses = witnesses
        self._headers = Headers.of(_JSON if credential is None else (*_JSON, (credential.name, credential.value)))
        self._slots = threading.BoundedSemaphore(concurrency)
        self._path = path
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
        until = self._clock.monotonic() + seconds
        with self._slot(seconds):
            with self._breaker_lock:
                ticket = self._breaker.admit()
            # How the call ends for the breaker. A failure of ours before anything was sent says nothing about it.
            end = self._breaker.abandoned
            try:
                digest, head = request_digest(exchange), self._chain_head()
                question = encode(
                    exchange,
                    digest=digest,
                    timestamp=timestamp(self._clock.wall()),
                    policy_set=self._policy_set,
                    redactor=self._redactor,
                    log=head,
                )
                end = self._breaker.unreachable
                left = until - self._clock.monotonic()
                status, headers, body = self._transport.call(self._path, self._headers, question, left)
                end = self._breaker.upset
                # A function's arguments are never rewritten: MODIFIED is a block here, whatever is configured.
                verdict = decode(
                    status,
                    headers,
                    body,
                    request_id=exchange.id,
                    name=self.name,
                    policy_set=self._policy_set,
                    witness=partial(self._witnesses.accept, exchange.id, digest, head),
                )
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
