"""What every governor must do. To register one, add an ``Entrant`` to ``ENTRANTS``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from eve_proxy.governance.blocking import BlockingGovernor
from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.deadline import race
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.hosted import HostedGovernor
from eve_proxy.governance.redaction import Redactor
from eve_proxy.interfaces import IGovernanceTransport, IGovernor
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.text import clean
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.pdp.embedded import EmbeddedGovernor
from eve_proxy.pdp.policy_file import load_policy
from eve_proxy.transport.limits import BufferAccount
from tests.fakes.ports import FakeClock, body_of, drive, exchange_of, request_of


async def awaited(evaluation: Awaitable[Verdict]) -> Verdict:
    """Any awaitable as a coroutine."""
    return await evaluation


@implementer(IGovernanceTransport)
class InMemoryService:
    """A decision service without a network, in the contract's JSON: it blocks what contains BLOCKME."""

    async def call(self, path: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        question = json.loads(body)
        blocked = "BLOCKME" in (question["proposed_action"]["body"] or "")
        decision = {"status": "BLOCKED", "reason": "BLOCKME"} if blocked else {"status": "ALLOWED"}
        return 200, Headers(), json.dumps({"request_id": question["request_id"], "decision": decision}).encode()


def configured(clock: FakeClock) -> DecisionService:
    """The service as its settings describe it."""
    return DecisionService(
        name="gov.example",
        policy_set="egress_v1",
        redactor=Redactor(b"k" * 32),
        clock=clock,
        chain_head=lambda: None,
    )


def hosted() -> HostedGovernor:
    """The hosted governor over the in-memory service."""
    clock = FakeClock()
    return HostedGovernor(
        InMemoryService(),
        configured(clock),
        breaker=Breaker(5, clock.monotonic, lambda: 0.5),
        account=BufferAccount(1 << 20),
    )


def embedded() -> EmbeddedGovernor:
    """The reference decision point in-process; what it would judge in a thread is judged at once."""

    async def at_once(function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    return EmbeddedGovernor(load_policy(), offload=at_once)


def blocking() -> BlockingGovernor:
    """The hosted governor of library processes over the same in-memory service."""
    clock, service = FakeClock(), InMemoryService()

    class Transport:
        """Blocks, where the daemon's waits."""

        def call(self, path: str, headers: Headers, body: bytes, seconds: float) -> tuple[int, Headers, bytes]:
            return drive(service.call(path, headers, body))

    return BlockingGovernor(Transport(), configured(clock), breaker=Breaker(5, clock.monotonic, lambda: 0.5))


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A governor under test.

    :ivar make: a new governor without state of an earlier test, and without a real reactor, socket or clock.
    :ivar hostile: a body that it blocks.
    """

    name: str
    make: Callable[[], Any]
    hostile: bytes


ENTRANTS = [
    Entrant(name="hosted", make=hosted, hostile=b"please BLOCKME"),
    Entrant(name="embedded", make=embedded, hostile=b"print('cy' + 'anide')"),
    Entrant(name="blocking", make=blocking, hostile=b"please BLOCKME"),
    Entrant(name="blocking, within", make=lambda: blocking().within(1.0), hostile=b"please BLOCKME"),
]

BENIGN = exchange_of(body=body_of(b'{"prompt": "hello"}'))
TUNNEL = exchange_of(
    request_of("api.example.com:443", method="CONNECT", scheme="https", target=b"", headers=Headers()),
    route=Route.CONNECT,
    coverage=Coverage.DESTINATION,
)
HANDSHAKE = exchange_of(request_of(method="GET", websocket=True), coverage=Coverage.HANDSHAKE)


@pytest.fixture(params=ENTRANTS, ids=lambda entrant: entrant.name)
def entrant(request: pytest.FixtureRequest) -> Entrant:
    return request.param


@pytest.fixture
def governor(entrant: Entrant) -> Any:
    return entrant.make()


def judge(governor: Any, exchange: Exchange) -> Any:
    """The verdict, or the exception, of one evaluation under a deadline that does not pass."""
    results: list[Any] = []
    answer = Deferred.fromCoroutine(awaited(race(Clock())(governor.evaluate(exchange), 2.0)))
    answer.addCallbacks(results.append, lambda bad: results.append(bad.value))
    assert len(results) == 1, "it neither answered nor failed"
    return results[0]


def test_it_provides_the_port(governor: Any) -> None:
    """The pipeline can use it."""
    assert verifyObject(IGovernor, governor)


def test_its_name_fits_into_a_certificate(governor: Any) -> None:
    """A certificate says who decided."""
    assert isinstance(governor.name, str)
    assert governor.name == clean(governor.name, 253) != ""


@pytest.mark.parametrize("exchange", [BENIGN, TUNNEL, HANDSHAKE, replace(BENIGN, body=body_of(b""))])
def test_what_is_harmless_is_allowed_on_every_kind_of_exchange(governor: Any, exchange: Exchange) -> None:
    """Requests with a body, without one, tunnels and handshakes are all judged."""
    assert judge(governor, exchange).outcome is Outcome.ALLOW


def test_what_is_hostile_is_blocked(governor: Any, entrant: Entrant) -> None:
    """The governor's policy has an effect, and says why."""
    verdict = judge(governor, replace(BENIGN, body=body_of(entrant.hostile)))
    assert verdict.outcome is Outcome.BLOCK
    assert verdict.reason


@pytest.mark.parametrize("route", Route)
def test_the_route_changes_nothing(governor: Any, entrant: Entrant, route: Route) -> None:
    """There is no way around the policy by another entry point."""
    exchange = replace(BENIGN, route=route)
    assert judge(governor, exchange).outcome is Outcome.ALLOW
    assert judge(governor, replace(exchange, body=body_of(entrant.hostile))).outcome is Outcome.BLOCK


def test_a_verdict_is_complete_and_clean(governor: Any, entrant: Entrant) -> None:
    """Verdicts can be certified as they are: bounded texts, the governor's own name, a policy."""
    for body in (b"hello", entrant.hostile):
        verdict = judge(governor, replace(BENIGN, body=body_of(body)))
        assert verdict.governor == governor.name
        assert verdict.policy is not None
        assert verdict.status is None
        assert verdict.reason == clean(verdict.reason, 200) != ""
        assert len(verdict.pillar or "") <= 32
        assert len(verdict.vector or "") <= 32


def test_verdicts_do_not_depend_on_what_was_asked_before(governor: Any, entrant: Entrant) -> None:
    """One client's request has no influence on another's."""
    hostile = replace(BENIGN, body=body_of(entrant.hostile))
    outcomes = [judge(governor, exchange).outcome for exchange in (BENIGN, hostile, BENIGN, hostile, BENIGN)]
    assert outcomes == [Outcome.ALLOW, Outcome.BLOCK, Outcome.ALLOW, Outcome.BLOCK, Outcome.ALLOW]


def test_a_cancelled_question_does_not_harm_the_next(governor: Any) -> None:
    """A client that leaves leaves no trace."""
    for _ in range(300):
        evaluation = governor.evaluate(BENIGN)
        if not isinstance(evaluation, Deferred):
            evaluation = Deferred.fromCoroutine(awaited(evaluation))
        evaluation.addErrback(lambda _: None)
        evaluation.cancel()
    assert judge(governor, BENIGN).outcome is Outcome.ALLOW


@pytest.mark.parametrize("entrant", ENTRANTS, ids=lambda entrant: entrant.name)
def test_any_exchange_gets_a_verdict_or_a_failure(entrant: Entrant) -> None:
    """No bytes make a governor hang, change its type of answer, or demand what was not configured."""
    governor = entrant.make()

    @given(content=st.binary(max_size=60) | st.text(max_size=30).map(str.encode), value=st.binary(max_size=20))
    def prove(content: bytes, value: bytes) -> None:
        request = request_of(headers=Headers.of([(b"x-any", value), (b"authorization", value)]), target=b"/?" + value)
        verdict = judge(governor, exchange_of(request, body=body_of(content)))
        assert isinstance(verdict, Exception) or (
            isinstance(verdict, Verdict)
            and verdict.outcome in (Outcome.ALLOW, Outcome.BLOCK)
            and verdict.obligations == ()
        )

    prove()
