"""The governor inside the daemon (its port's contract is in tests/conformance)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from eve_proxy.model.verdict import Outcome, PolicyRef, Verdict
from eve_proxy.pdp.embedded import INLINE_BODY, EmbeddedGovernor
from eve_proxy.pdp.evaluate import evaluate
from eve_proxy.pdp.policy_file import load_policy
from tests.fakes.ports import body_of, exchange_of

POLICY = load_policy()
ATTACK = b"print('cy' + 'anide')"


class Thread:
    """Where large bodies are judged: when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Deferred[Any], Any, tuple[Any, ...]]] = []

    def __call__(self, function: Any, *arguments: Any) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred()
        self.jobs.append((waiting, function, arguments))
        return waiting

    def run(self) -> None:
        waiting, function, arguments = self.jobs.pop()
        waiting.callback(function(*arguments))


def judge(governor: EmbeddedGovernor, body: bytes) -> list[Verdict]:
    verdicts: list[Verdict] = []

    async def ask() -> None:
        verdicts.append(await governor.evaluate(exchange_of(body=body_of(body))))

    Deferred.fromCoroutine(ask())
    return verdicts


def test_a_veto_names_pillar_vector_and_policy() -> None:
    """The certificate says which policy text decided, and why."""
    thread = Thread()
    assert judge(EmbeddedGovernor(POLICY, offload=thread), ATTACK) == [
        Verdict(
            outcome=Outcome.BLOCK,
            reason="Pillar 128 Violation: Symbolic Assembly Attack Detected",
            pillar="128",
            vector="706",
            governor="embedded",
            policy=PolicyRef(set="egress_v1", sha256=POLICY.sha256),
        )
    ]
    assert thread.jobs == []


def test_large_bodies_are_judged_elsewhere() -> None:
    """A big body does not stop everybody else's requests."""
    thread = Thread()
    governor = EmbeddedGovernor(POLICY, offload=thread)
    verdicts = judge(governor, ATTACK.ljust(INLINE_BODY + 1))
    assert verdicts == []
    assert thread.jobs[0][1] is evaluate
    thread.run()
    assert [verdict.outcome for verdict in verdicts] == [Outcome.BLOCK]
    assert len(judge(governor, b"x" * INLINE_BODY)) == 1
    assert thread.jobs == []
