"""The decision point inside the daemon: no call, no network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from zope.interface import implementer

from eve_proxy.interfaces import IGovernor, Ready
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.pdp.evaluate import Answer, evaluate
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.question import Question, question_of

# Bytes. Smaller bodies are judged in less time than it takes others to notice (architecture.md).
INLINE_BODY: Final = 32 << 10

# ``offload(evaluate, policy, question)``: the answer, worked out somewhere that does not stop the caller: a thread.
Offload = Callable[[Callable[[Policy, Question], Answer], Policy, Question], Awaitable[Answer]]


@implementer(IGovernor)
class EmbeddedGovernor:
    """Judges exchanges by ``policy`` in-process.

    :param offload: where bodies over ``INLINE_BODY`` are judged.
    """

    name: str = "embedded"

    def __init__(self, policy: Policy, *, offload: Offload) -> None:
        self._policy = policy
        self._ref = policy.ref
        self._offload = offload

    def evaluate(self, exchange: Exchange) -> Awaitable[Verdict]:
        """The policy's verdict. Raises only what ``offload`` raises."""
        question = question_of(exchange)
        if len(question.body) > INLINE_BODY:
            return self._elsewhere(question)
        return Ready(self._verdict(evaluate(self._policy, question)))

    async def _elsewhere(self, question: Question) -> Verdict:
        return self._verdict(await self._offload(evaluate, self._policy, question))

    def _verdict(self, answer: Answer) -> Verdict:
        return Verdict(
            outcome=Outcome.ALLOW if answer.allows else Outcome.BLOCK,
            reason=answer.reason,
            pillar=answer.pillar,
            vector=answer.vector,
            governor=self.name,
            policy=self._ref,
        )
