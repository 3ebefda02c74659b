"""The hosted governor of library processes: the breaker, the slots and the time, in threads."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eve_proxy.governance.blocking import BlockingGovernor
from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.codec import EVALUATE
from eve_proxy.governance.credential import AuthStyle, Credential
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.redaction import Redactor
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import GovernorMisbehaved, GovernorUnavailable
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Outcome
from tests.fakes.ports import FakeClock, body_of, drive, exchange_of

EXCHANGE = exchange_of(body=body_of(b'{"arguments":{"prompt":"hello"}}'))


class Service:
    """Answers by script; remembers what it was asked.

    :ivar answer: bytes, an exception, or a callable of the question.
    """

    def __init__(self, answer: Any = b'{"decision": {"status": "ALLOWED"}}') -> None:
        self.answer = answer
        self.status = 200
        self.asked: list[tuple[str, Headers, dict[str, Any], float]] = []

    def call(self, path: str, headers: Headers, body: bytes, seconds: float) -> tuple[int, Headers, bytes]:
        self.asked.append((path, headers, json.loads(body), seconds))
        answer = self.answer() if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return self.status, Headers(), answer


def governor(service: Service, clock: FakeClock | None = None, **changes: Any) -> BlockingGovernor:
    clock = clock or FakeClock()
    configured = DecisionService(
        name="gov.example",
        policy_set="egress_v1",
        redactor=Redactor(b"k" * 32),
        clock=clock,
        chain_head=changes.pop("chain_head", lambda: LogLink(id="log_1", seq=4, prev="sha256-00")),
        credential=changes.pop("credential", None),
        path=changes.pop("path", EVALUATE),
    )
    return BlockingGovernor(service, configured, **{"breaker": Breaker(2, clock.monotonic, lambda: 0.5), **changes})


def test_asks_the_one_question_of_the_contract() -> None:
    """Path, credential, the head of our own chain, and the call's text."""
    service = Service()
    credential = Credential.of(AuthStyle.BEARER, "tok")
    assert drive(governor(service, credential=credential, path="/base/x").evaluate(EXCHANGE)).outcome is Outcome.ALLOW
    path, headers, question, seconds = service.asked[0]
    assert (path, seconds) == ("/base/x", 2.0)
    assert headers.get(b"authorization") == b"Bearer tok"
    assert headers.get(b"content-type") == b"application/json"
    assert question["context"]["log"] == {"id": "log_1", "seq": 4, "prev": "sha256-00"}
    assert question["proposed_action"]["body"] == '{"arguments":{"prompt":"hello"}}'


def test_a_call_takes_no_longer_than_it_may() -> None:
    """``within`` is what the transport gets, less what was spent before."""
    service = Service()
    drive(governor(service).within(0.25).evaluate(EXCHANGE))
    assert service.asked[0][3] == 0.25


def test_modified_is_a_block() -> None:
    """Arguments of a function are never rewritten."""
    answer = {
        "decision": {"status": "MODIFIED"},
        "modifications": [{"field": "body", "modified_value": "x", "reason": "y"}],
    }
    verdict = drive(governor(Service(json.dumps(answer).encode())).evaluate(EXCHANGE))
    assert (verdict.outcome, verdict.obligations) == (Outcome.BLOCK, ())


def test_the_breaker_opens_and_probes() -> None:
    """A service that is down is not asked by every call; one that is back is used again."""
    clock, service = FakeClock(), Service(GovernorUnavailable("refused"))
    asking = governor(service, clock)
    for _ in range(2):
        with pytest.raises(GovernorUnavailable, match="refused"):
            drive(asking.evaluate(EXCHANGE))
    with pytest.raises(GovernorUnavailable, match="breaker open"):
        drive(asking.evaluate(EXCHANGE))
    assert len(service.asked) == 2
    clock.advance(13)
    service.answer = b'{"decision": {"status": "ALLOWED"}}'
    for _ in range(2):
        drive(asking.evaluate(EXCHANGE))
    assert len(service.asked) == 4


def test_a_malformed_answer_counts_only_in_the_window() -> None:
    """A few texts that upset the service do not shut it off for all."""
    service = Service(b"not json")
    asking = governor(service)
    for _ in range(5):
        with pytest.raises(GovernorMisbehaved):
            drive(asking.evaluate(EXCHANGE))
    assert len(service.asked) == 5


def test_an_answer_that_is_not_http_counts_only_in_the_window() -> None:
    """It came in time from a service that is there."""
    service = Service(GovernorMisbehaved("not HTTP"))
    asking = governor(service)
    for _ in range(5):
        with pytest.raises(GovernorMisbehaved):
            drive(asking.evaluate(EXCHANGE))
    assert len(service.asked) == 5


def test_a_failure_of_ours_says_nothing_about_the_service() -> None:
    """When the question cannot even be made, the breaker stays shut and the slot is given back."""
    service, fail = Service(), [True]

    def head() -> None:
        if fail[0]:
            raise ValueError("ours")

    asking = governor(service, chain_head=head, concurrency=1)
    for _ in range(5):
        with pytest.raises(ValueError, match="ours"):
            drive(asking.evaluate(EXCHANGE))
    fail[0] = False
    assert drive(asking.evaluate(EXCHANGE)).outcome is Outcome.ALLOW


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def test_calls_beyond_the_limit_wait_their_turn_and_no_longer_than_they_may() -> None:
    """EVE_PROXY_GOVERNANCE_CONCURRENCY holds over all threads."""
    entered, release, done = threading.Event(), threading.Event(), []

    def held() -> bytes:
        entered.set()
        assert release.wait(20)
        return b'{"decision": {"status": "ALLOWED"}}'

    service = Service(held)
    asking = governor(service, concurrency=1)
    first = in_thread(lambda: done.append(asking.ask(EXCHANGE, 20)))
    assert entered.wait(20)
    with pytest.raises(GovernorUnavailable, match="too many calls"):
        asking.ask(EXCHANGE, 0.01)
    assert len(service.asked) == 1
    second = in_thread(lambda: done.append(asking.ask(EXCHANGE, 20)))
    release.set()
    first.join(20)
    second.join(20)
    assert [verdict.outcome for verdict in done] == [Outcome.ALLOW] * 2


def test_nobody_queues_before_a_closed_door() -> None:
    """While the breaker is open, a call that would have to wait is refused at once."""
    entered, release = threading.Event(), threading.Event()

    def held() -> bytes:
        entered.set()
        assert release.wait(20)
        return b"{}"

    service = Service(GovernorUnavailable("refused"))
    asking = governor(service, concurrency=1, breaker=(breaker := Breaker(2, FakeClock().monotonic, lambda: 0.5)))
    service.answer = held

    def first() -> None:
        with pytest.raises(GovernorMisbehaved):
            asking.ask(EXCHANGE, 20)

    thread = in_thread(first)
    assert entered.wait(20)
    for _ in range(2):
        breaker.unreachable(breaker.admit())
    with pytest.raises(GovernorUnavailable, match="breaker open"):
        asking.ask(EXCHANGE, 20)
    release.set()
    thread.join(20)
