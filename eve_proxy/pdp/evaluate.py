"""The decision: a pure function of a policy and a question."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the policy says.

    :ivar rule: the rule or detector that decided; ``default`` when none did.
    """

    allows: bool
    reason: str
    rule: str
    pillar: str | None = None
    vector: str | None = None


def evaluate(policy: Policy, question: Question) -> Answer:
    """Detectors first, whose veto no rule can lift; then the first rule that fits; then the default."""
    for armed in policy.detectors:
        if armed.found_in(question):
            detector = armed.detector
            return Answer(
                allows=False,
                reason=detector.reason,
                rule=detector.name,
                pillar=detector.pillar,
                vector=detector.vector,
            )
    for rule in policy.rules:
        if rule.match.fits(question):
            return Answer(allows=rule.allows, reason=rule.reason, rule=rule.id, pillar=rule.pillar, vector=rule.vector)
    return _BY_DEFAULT[policy.allows]


_BY_DEFAULT = {
    True: Answer(allows=True, reason="no rule of the policy applies", rule="default"),
    False: Answer(allows=False, reason="no rule of the policy allows this", rule="default"),
}
