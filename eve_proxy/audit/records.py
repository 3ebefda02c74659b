"""What the journal itself has to say, whoever writes it: records that are not decisions, the answer without a line, and
why there is none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from eve_proxy.audit.outcomes import Outcomes
from eve_proxy.audit.recovery import Cut
from eve_proxy.interfaces import IClock, IEntropy, ISigner
from eve_proxy.model.certificate import DECISION, OUTCOME, DecisionCertificate, Draft
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import FAIL_SHUT_PILLAR, LOCAL, Outcome
from eve_proxy.signing.public_key import Ed25519Public, P256Public
from eve_proxy.signing.seal import timestamp

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

    def session_close(self, details: dict[str, Any]) -> Draft:
        """The end of a session."""
        return self.draft("session_close", "the journal was closed", details)

    def recovered(self, reason: str, cut: Cut, *, cause: str, refused: int) -> Draft:
        """Bytes that never became a record were cut off.

        :param refused: how many records were refused meanwhile.
        """
        details = {"bytes": cut.size, "sha256": cut.sha256, "cause": cause, "refused": refused}
        return self.draft("recovered", reason, details)

    def outcome(self, parent: str, details: dict[str, Any]) -> Draft:
        """What became of the exchange that ``parent`` let go."""
        return self.draft(OUTCOME, "what became of a request that was let go", details, parent=parent)

    def outcomes(self, log_id: str) -> Outcomes:
        """What seals them for the journal with that id."""
        return Outcomes(self.outcome("", {}), log_id, clock=self._clock, entropy=self._entropy)

    def void(self, voided: DecisionCertificate) -> Draft:
        """Names a line that landed although its client was told that there is none."""
        return self.draft(
            "void",
            "this line became durable after its client was refused; nothing was released on it",
            {"content_hash": voided.content_hash},
            parent=voided.certificate_id,
        )

    def key_rotation(self, old: ISigner, new: ISigner) -> Draft:
        """The old key's word for the new one; with the key itself, when it is public."""
        details = {
            "key_id": new.key_id,
            "algorithm": new.algorithm,
            "jwk": new.jwk() if isinstance(new, Ed25519Public | P256Public) else None,
            "previous_key_id": old.key_id,
        }
        return self.draft("key_rotation", "another key signs from the next record on", details)

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
            witness=None,
            record=None,
            timestamp=timestamp(self._clock.wall()),
        )
