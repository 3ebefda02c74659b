"""The decision point as a witness: each answer is signed and in its own journal, durably, before anybody hears it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from eve_proxy.audit.committer import Committer
from eve_proxy.audit.journal import Journal
from eve_proxy.audit.opening import open_journal
from eve_proxy.interfaces import IAuditSink, IClock
from eve_proxy.model.errors import EveError, JournalUnavailable, SigningFailed
from eve_proxy.pdp.contract import Judged, answer_document, problem
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.witnessing import UNKNOWN, draft_of, witness_of
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import AsymmetricSigner
from eve_proxy.signing.seal import timestamp
from eve_proxy.system import SystemClock, SystemEntropy

# The ``caller`` of the journal's own records.
CALLER: Final = "eve-governor"

_log = Logger()


class AnswerWitness:
    """Signs answers and keeps them.

    :param journal: the decision point's own.
    :param signer: with a key that nobody else has, least of all whoever asks.
    :ivar jwks: the document that publishes it.
    """

    def __init__(self, policy: Policy, *, journal: IAuditSink, signer: AsymmetricSigner, clock: IClock) -> None:
        self._policy = policy
        self._journal = journal
        self._signer = signer
        self._clock = clock
        self.jwks = jwks([signer])

    def now(self) -> float:
        """When judging begins, on the clock that ``answer`` goes by."""
        return self._clock.monotonic()

    async def answer(self, judged: Judged, audit_id: str, begun: float) -> tuple[int, bytes]:
        """Status and document; 503 when the answer could not be signed or written down: then it was not given.

        :param begun: see ``now``.
        """
        try:
            witness = witness_of(judged, self._signer)
            draft = draft_of(
                judged,
                witness,
                self._policy,
                audit_id=audit_id,
                latency=self._clock.monotonic() - begun,
                timestamp=timestamp(self._clock.wall()),
            )
            await self._journal.record(draft)
        except (SigningFailed, JournalUnavailable) as error:
            _log.error("an answer was not given, because it could not be recorded: {error}", error=str(error))
            return 503, problem("the decision could not be recorded")
        return 200, answer_document(self._policy, judged, audit_id, witness)


class Keeping:
    """The decision point's journal, from start to stop.

    :param path: where it is; another process that writes it stops the start.
    """

    def __init__(self, path: Path, signer: AsymmetricSigner, policy: Policy, *, reactor: Any) -> None:
        self._path = path
        self._signer = signer
        self._policy = policy
        self._reactor = reactor
        self._committer = Committer(reactor.callFromThread)
        self._journal: Journal | None = None

    def open(self) -> AnswerWitness:
        """Open it.

        :raises SystemExit: it cannot be opened; the message says what to do.
        """
        clock = SystemClock()
        try:
            self._journal = open_journal(
                self._path,
                signer=self._signer,
                org_id=UNKNOWN,
                caller=CALLER,
                clock=clock,
                entropy=SystemEntropy(),
                offload=self._committer,
                reactor_clock=self._reactor,
            )
        except EveError as error:
            raise SystemExit(f"eve-governor cannot start: {error}") from error
        self._reactor.addSystemEventTrigger("after", "shutdown", self._committer.stop)
        return AnswerWitness(self._policy, journal=self._journal, signer=self._signer, clock=clock)

    def close(self) -> Deferred[None]:
        """Write ``session_close``. Fires when that is done, or has failed."""
        journal, self._journal = self._journal, None
        return succeed(None) if journal is None else journal.close().addErrback(_unclosed)


def _unclosed(failure: Failure) -> None:
    failure.trap(JournalUnavailable)  # type: ignore[no-untyped-call]
    _log.error("the journal was not closed properly: {error}", error=failure.getErrorMessage())
