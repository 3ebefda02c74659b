"""What the journal itself has to say, whoever writes it: records that are not decisions, the answer without a line, and
why there is none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from eve_proxy.audit.recovery import Cut
from eve_proxy.interfaces import IClock, IEntropy, ISigner
from eve_proxy.model.certificate import DECISION, DecisionCertificate, Draft
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import FAIL_SHUT_PILLAR, LOCAL, Outcome
from eve_proxy.signing.seal import seal, timestamp

WORKS_AGAIN: Final = "writing failed and works again"


class Records:
    """Makes drafts in the name of one organisation and caller."""

    def __init__(self, *, org_id: str, caller: str, clock: IClock, entropy: IEntropy) -> None:
        self._org_id = org_id
        self._caller = caller
        self._clock = clock
        self._entropy = entropy

    def draft(self, kind: str, reason: str, details: dict[str, Any], *, parent: str | None = None) -> Draft:
        """A record of ``kind`` that happened now.

        :param details: the certificate's ``record``: JSON-ready, ASCII keys.
        :param parent: id of the certificate that it is about.
        """
        return Draft(
            certificate_id="cert_" + self._entropy.hex(8),
            verdict=None,
            reason=clean(reason, 200),
            matched_pillar=None,
            matched_vector=None,
            caller=self._caller,
            org_id=self._org_id,
            latency_ms=0,
            timestamp=timestamp(self._clock.wall()),
            kind=kind,
            parent=parent,
            record=details,
        )

    def session_close(self) -> Draft:
        """The end of a session."""
        return self.draft("session_close", "the journal was closed", {})

    def recovered(self, reason: str, cut: Cut, *, cause: str, refused: int) -> Draft:
        """Bytes that never became a record were cut off.

        :param refused: how many records were refused meanwhile.
        """
        details = {"bytes": cut.size, "sha256": cut.sha256, "cause": cause, "refused": refused}
        return self.draft("recovered", reason, details)

    def void(self, landed: DecisionCertificate) -> Draft:
        """Names a line whose client was told that there is none."""
        return self.draft(
            "void",
            "this line became durable after its client was refused; nothing was released on it",
            {"content_hash": landed.content_hash},
            parent=landed.certificate_id,
        )

    def refusal(self, draft: Draft, problem: str) -> Draft | None:
        """What the client of ``draft`` is told when its line is not durable; None when ``draft`` is no decision.

        It keeps the id: whoever holds it finds, under that id, the line that landed after all and the ``void`` record
        that names it, or nothing; and the decision service's log knows the question by the same id.
        """
        if draft.kind != DECISION:
            return None
        return replace(
            draft,
            verdict=Outcome.FAIL_CLOSED.value,
            reason=clean(f"the decision could not be recorded: {problem}", 200),
            matched_pillar=FAIL_SHUT_PILLAR,
            matched_vector=None,
            governor=LOCAL,
            policy=None,
            decision_ref=None,
            record=None,
            timestamp=timestamp(self._clock.wall()),
        )


def unavailable(draft: Draft, problem: str, records: Records, signer: ISigner) -> JournalUnavailable:
    """The error for ``draft`` whose line is not durable, with its ``fail_closed`` certificate without a line."""
    refusal = records.refusal(draft, problem)
    if refusal is None:
        return JournalUnavailable(problem)
    try:
        return JournalUnavailable(problem, seal(refusal, None, signer))
    except SigningFailed:
        return JournalUnavailable(problem)


def unwritable(error: BaseException) -> str:
    """The problem, in words without the path: they go to clients and into certificates."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the journal cannot be written: {said or type(error).__name__}"


def too_slow(timeout: float) -> str:
    """The problem of a disk that hangs."""
    return f"the journal's disk did not answer within {timeout:g} s"
