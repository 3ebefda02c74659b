"""The hosted governor: one question, one verdict, and no way to an allow that the service did not give."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from eve_proxy.governance.breaker import Breaker, State
from eve_proxy.governance.credential import AuthStyle, Credential
from eve_proxy.governance.deadline import race
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.errors import CredentialRefused, RateLimited
from eve_proxy.governance.hosted import HostedGovernor
from eve_proxy.governance.redaction import Redactor
from eve_proxy.interfaces import IGovernanceTransport, IGovernor
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.errors import DeadlineExceeded, GovernorMisbehaved, GovernorUnavailable, Overloaded
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import PERMITS, Outcome, Verdict
from eve_proxy.transport.limits import BufferAccount
from tests.fakes.ports import FakeClock, body_of, exchange_of

Answer = tuple[int, Headers, bytes]


def said(
    status: str = "ALLOWED", *, code: int = 200, headers: tuple[tuple[bytes, bytes], ...] = (), **members: Any
) -> Answer:
    return code, Headers.of(headers), json.dumps({"decision": {"status": status}, **members}).encode()


@implementer(IGovernanceTransport)
@dataclass
class ScriptedTransport:
    """Keeps what it was asked; answers with what ``reply`` gives, or waits until a test fires ``pending``."""

    reply: Callable[[], Any] | None = None
    calls: list[tuple[str, Headers, bytes]] = field(default_factory=list)
    pending: list[Deferred[Any]] = field(default_factory=list)
    cancelled: int = 0

    def call(self, path: str, headers: Headers, body: bytes) -> Any:
        self.calls.append((path, headers, body))
        if self.reply is not None:
            return self.reply()
        self.pending.append(Deferred(self._cancel))
        return self.pending[-1]

    def _cancel(self, _: Deferred[Any]) -> None:
        self.cancelled += 1


@dataclass
class Rig:
    """A governor over a scripted transport, on a fake clock."""

    transport: ScriptedTransport = field(default_factory=ScriptedTransport)
    clock: FakeClock = field(default_factory=FakeClock)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.breaker = Breaker(5, self.clock.monotonic, lambda: 0.5)
        self.account = BufferAccount(10_000)
        settings = {
            "name": "gov.example",
            "policy_set": "egress_v1",
            "redactor": Redactor(b"k" * 32),
            "clock": self.clock,
            "chain_head": lambda: LogLink(id="log_1", seq=7, prev="sha256-ab"),
            "breaker": self.breaker,
            "account": self.account,
            **self.options,
        }
        own = {field.name for field in fields(DecisionService)}
        service = DecisionService(**{name: value for name, value in settings.items() if name in own})
        rest = {name: value for name, value in settings.items() if name not in own}
        self.governor = HostedGovernor(self.transport, service, **rest)

    def ask(self, exchange: Exchange | None = None) -> tuple[Deferred[Verdict], list[Any]]:
        """The Deferred of one evaluation, and what it has said so far."""
        deferred = Deferred.fromCoroutine(self.governor.evaluate(exchange or exchange_of(body=body_of(b"hello"))))
        results: list[Any] = []
        deferred.addCallbacks(results.append, lambda failure: results.append(failure.value))
        return deferred, results

    def answered(self, reply: Callable[[], Any]) -> Any:
        """What comes of an answer that is there at once."""
        self.transport.reply = reply
        return self.ask()[1][0]


def raising(error: BaseException) -> Callable[[], Any]:
    def reply() -> Any:
        raise error

    return reply


def test_questions_under_way_are_counted() -> None:
    """What the service is sent takes its share of EVE_PROXY_MAX_BUFFERED, until it has answered or is given up."""
    rig = Rig()
    rig.ask()
    second, _ = rig.ask()
    sizes = [len(body) for _, _, body in rig.transport.calls]
    assert rig.account.held == sum(sizes)
    rig.transport.pending[0].callback(said())
    assert rig.account.held == sizes[1]
    second.cancel()
    assert rig.account.held == 0
    rig.answered(lambda: fail(GovernorUnavailable("reset")))
    assert rig.account.held == 0


def test_no_room_for_a_question() -> None:
    """It is not sent, the service is not blamed, and the place in the queue is free again."""
    rig = Rig(options={"account": BufferAccount(100), "concurrency": 1})
    for _ in range(6):
        _, results = rig.ask()
        assert isinstance(results[0], Overloaded)
    assert rig.transport.calls == []
    assert rig.breaker.state is State.CLOSED


def test_it_is_a_governor() -> None:
    """The pipeline can use it like any other."""
    rig = Rig()
    assert verifyObject(IGovernor, rig.governor)
    assert rig.governor.name == "gov.example"


def test_the_question_carries_exchange_chain_head_and_credential() -> None:
    """The service learns what wants to leave, who asks, and where our journal stands."""
    rig = Rig(options={"credential": Credential.of(AuthStyle.BEARER, "t0ken"), "path": "/base/v1/decisions/evaluate"})
    assert rig.answered(lambda: succeed(said())).outcome is Outcome.ALLOW
    [(path, headers, body)] = rig.transport.calls
    question = json.loads(body)
    assert path == "/base/v1/decisions/evaluate"
    assert headers.get(b"authorization") == b"Bearer t0ken"
    assert headers.get(b"content-type") == b"application/json"
    assert question["request_id"] == "cert_00000000000000aa"
    assert question["timestamp"] == "2026-04-16T14:02:23.847Z"
    assert question["proposed_action"]["body"] == "hello"
    assert question["context"]["log"] == {"id": "log_1", "seq": 7, "prev": "sha256-ab"}


def test_without_a_credential_none_is_sent() -> None:
    """A governor on a Unix socket needs no token."""
    rig = Rig()
    rig.answered(lambda: succeed(said()))
    assert [name for name, _ in rig.transport.calls[0][1]] == [b"content-type", b"accept"]


def test_the_answer_becomes_the_verdict() -> None:
    """Block and pillar arrive as the service said them, under its name."""
    verdict = Rig().answered(lambda: succeed(said("BLOCKED", policy_violations=[{"policy_id": "P128:706"}])))
    assert (verdict.outcome, verdict.pillar, verdict.vector) == (Outcome.BLOCK, "128", "706")
    assert (verdict.governor, verdict.policy.set, verdict.policy.sha256) == ("gov.example", "egress_v1", None)


def test_modifications_follow_the_switch() -> None:
    """EVE_PROXY_ALLOW_MODIFY reaches the codec."""
    changes = [{"field": "body", "modified_value": "x"}]
    assert Rig().answered(lambda: succeed(said("MODIFIED", modifications=changes))).outcome is Outcome.BLOCK
    verdict = Rig(options={"allow_modify": True}).answered(lambda: succeed(said("MODIFIED", modifications=changes)))
    assert (verdict.outcome, len(verdict.obligations)) == (Outcome.ALLOW, 1)


def test_a_transport_may_be_a_coroutine() -> None:
    """Whoever writes a transport may write ``async def``."""

    async def call() -> Answer:
        return said()

    assert Rig().answered(call).outcome is Outcome.ALLOW


def test_failures_arrive_as_they_are() -> None:
    """The certificate's reason is the transport's."""
    error = GovernorUnavailable("governance connection refused")
    assert Rig().answered(lambda: fail(error)) is error
    assert Rig().answered(raising(error)) is error


# The bound.


def test_at_most_so_many_calls_are_under_way() -> None:
    """A burst does not flood the service; whoever waits is served in order of arrival."""
    rig = Rig(options={"concurrency": 2})
    results = [rig.ask(exchange_of(id=f"cert_{number:016x}"))[1] for number in range(4)]
    assert len(rig.transport.calls) == 2
    rig.transport.pending[0].callback(said())
    assert len(rig.transport.calls) == 3
    assert json.loads(rig.transport.calls[2][2])["request_id"] == f"cert_{2:016x}"
    rig.transport.pending[1].errback(GovernorUnavailable("reset"))
    rig.transport.pending[2].callback(said("BLOCKED"))
    rig.transport.pending[3].callback(said())
    assert [getattr(result[0], "outcome", None) for result in results] == [
        Outcome.ALLOW, None, Outcome.BLOCK, Outcome.ALLOW,
    ]  # fmt: skip


def test_waiting_counts_against_the_deadline_and_a_late_waiter_is_never_asked() -> None:
    """A request that waited too long is refused on time, and the service does not see it afterwards."""
    rig, clock = Rig(options={"concurrency": 1}), Clock()
    rig.ask()
    waiting: list[Any] = []
    race(clock)(rig.governor.evaluate(exchange_of()), 2.0).addBoth(lambda failure: waiting.append(failure.type))
    clock.advance(2)
    assert waiting == [DeadlineExceeded]
    rig.transport.pending[0].callback(said())
    assert len(rig.transport.calls) == 1
    rig.ask()
    assert len(rig.transport.calls) == 2


@pytest.mark.parametrize("reply", [lambda: succeed(said()), raising(ValueError("defect")), lambda: succeed(None)])
def test_every_end_gives_its_slot_back(reply: Callable[[], Any]) -> None:
    """A thousand failures do not use up the bound."""
    rig = Rig(options={"concurrency": 1, "breaker": Breaker(0, lambda: 0.0, lambda: 0.5)})
    for _ in range(3):
        rig.answered(reply)
    assert len(rig.transport.calls) == 3


def test_a_broken_journal_head_gives_its_slot_back_and_is_no_fault_of_the_service() -> None:
    """A defect of ours is fail-closed, and does not open the breaker."""
    rig = Rig(options={"concurrency": 1, "chain_head": raising(RuntimeError("defect"))})
    for _ in range(6):
        assert isinstance(rig.ask()[1][0], RuntimeError)
    assert rig.breaker.state is State.CLOSED
    assert rig.transport.calls == []


# The breaker.


def test_transport_failures_open_the_breaker() -> None:
    """After five failures in a row the client hears it at once, without the service being asked."""
    rig = Rig()
    for _ in range(5):
        rig.answered(raising(GovernorUnavailable("refused")))
    refused = rig.answered(lambda: succeed(said()))
    assert isinstance(refused, GovernorUnavailable)
    assert str(refused) == "governance breaker open"
    assert len(rig.transport.calls) == 5
    assert rig.governor.warnings == ("governance breaker open",)
    assert rig.governor.problem == "governance breaker open"
    rig.clock.advance(12)
    # Before anybody asked: an unready daemon gets no request that could close it.
    assert rig.governor.problem is None
    assert rig.governor.warnings == ("governance breaker open",)
    assert rig.answered(lambda: succeed(said())).outcome is Outcome.ALLOW
    assert rig.governor.warnings == ()


def test_an_unforeseen_error_of_the_transport_counts_as_a_failure_of_it() -> None:
    """A transport that breaks in a new way is left alone like one that breaks in a known one."""
    rig = Rig()
    for _ in range(5):
        assert isinstance(rig.answered(raising(OSError("new"))), OSError)
    assert rig.breaker.state is State.OPEN


@pytest.mark.parametrize(
    "reply",
    [
        lambda: succeed(said(code=500)),
        lambda: succeed((200, Headers(), b"garbage")),
        raising(GovernorMisbehaved("not HTTP")),
    ],
)
def test_malformed_answers_alone_do_not_open_it_after_five(reply: Callable[[], Any]) -> None:
    """A few bodies that upset the service do not shut it off for others."""
    rig = Rig()
    for _ in range(19):
        assert isinstance(rig.answered(reply), GovernorMisbehaved)
    assert rig.breaker.state is State.CLOSED
    rig.answered(reply)
    assert rig.breaker.state is State.OPEN


@pytest.mark.parametrize(("seconds", "state"), [(1.9, State.OPEN), (0.4, State.CLOSED)])
def test_timeouts_open_it_and_clients_that_leave_do_not(seconds: float, state: State) -> None:
    """A hanging service is left alone; clients that disconnect early cannot make it look hanging."""
    rig = Rig()
    for _ in range(5):
        deferred, result = rig.ask()
        rig.clock.advance(seconds)
        deferred.cancel()
        assert isinstance(result[0], CancelledError)
    assert rig.transport.cancelled == 5
    assert rig.breaker.state is state


def test_when_it_opens_those_who_wait_are_refused_at_once() -> None:
    """Nobody waits in a queue before a service that is known to be down."""
    rig = Rig(options={"concurrency": 1})
    for _ in range(4):
        rig.answered(raising(GovernorUnavailable("refused")))
    rig.transport.reply = None
    results = [rig.ask()[1] for _ in range(5)]
    rig.transport.pending[0].errback(GovernorUnavailable("refused"))
    assert [str(result[0]) for result in results] == ["refused"] + ["governance breaker open"] * 4


def test_nobody_queues_while_it_is_open() -> None:
    """While a probe is under way in the last slot, others hear the refusal at once."""
    rig = Rig(options={"concurrency": 1})
    for _ in range(5):
        rig.answered(raising(GovernorUnavailable("refused")))
    rig.clock.advance(10)
    rig.transport.reply = None
    rig.ask()
    assert isinstance(rig.ask()[1][0], GovernorUnavailable)


# What readiness says.


def test_a_rate_limit_is_kept_until_it_has_passed_or_the_service_answers() -> None:
    """The operator sees that and for how long the service asks for patience."""
    rig = Rig()
    limited = lambda: succeed(said(code=429, headers=((b"Retry-After", b"7"),)))  # noqa: E731
    assert isinstance(rig.answered(limited), RateLimited)
    rig.clock.advance(2)
    assert rig.governor.retry_after == 5
    assert rig.governor.warnings == ("governance rate limited",)
    rig.clock.advance(5)
    assert rig.governor.retry_after is None
    assert rig.governor.warnings == ()
    rig.answered(limited)
    rig.answered(lambda: succeed(said()))
    assert rig.governor.retry_after is None


def test_a_refused_credential_is_said_until_one_is_accepted() -> None:
    """The operator sees that the token is the problem."""
    rig = Rig()
    assert isinstance(rig.answered(lambda: succeed(said(code=401))), CredentialRefused)
    assert rig.governor.warnings == ("governance credential refused",)
    rig.answered(lambda: succeed(said("BLOCKED")))
    assert rig.governor.warnings == ()


# The law.

ANSWERS = st.one_of(
    st.none(),
    st.binary(max_size=5),
    st.just(said()),
    st.tuples(
        st.sampled_from([200, 200, 200, 201, 401, 429, 500, "200", None]),
        st.sampled_from([Headers(), None]),
        st.sampled_from(
            [
                said()[2],
                said(request_id="cert_00000000000000aa")[2],
                said(request_id="cert_ffffffffffffffff")[2],
                said("BLOCKED")[2],
                said("MODIFIED")[2],
                said("allowed")[2],
                said()[2][:-1],
                said()[2].decode(),
                b"",
                None,
            ]
        ),
    ),
)
ERRORS = st.sampled_from(
    [
        GovernorUnavailable("x"),
        GovernorMisbehaved("x"),
        CancelledError(),
        OSError(),
        ValueError(),
        AssertionError(),
        StopIteration(),
    ]
)
GOOD = (said()[2], said(request_id="cert_00000000000000aa")[2])


@given(
    what=ANSWERS | ERRORS,
    wait=st.sampled_from([0.0, 1.0, 1.999, 2.0, 3.0]),
    way=st.sampled_from(["now", "later", "raise"]),
)
def test_only_a_well_formed_allow_in_time_permits(what: Any, wait: float, way: str) -> None:
    """Whatever the transport raises or answers, and whenever: only an ALLOWED to this request, in time, lets it out."""
    clock = Clock()
    rig = Rig()

    def reply() -> Any:
        if isinstance(what, BaseException):
            if way == "raise":
                raise what
            return fail(what)
        return succeed(what)

    late: Deferred[Any] = Deferred()
    rig.transport.reply = (lambda: late) if way == "later" else reply
    results: list[Any] = []
    race(clock)(rig.governor.evaluate(exchange_of()), 2.0).addBoth(results.append)
    clock.advance(wait)
    if way == "later" and not late.called:
        late.errback(what) if isinstance(what, BaseException) else late.callback(what)
    assert len(results) == 1
    permitted = isinstance(results[0], Verdict) and PERMITS[results[0].outcome]
    in_time = way != "later" or wait < 2
    well_formed = isinstance(what, tuple) and what[0] == 200 and what[2] in GOOD
    assert permitted == (in_time and well_formed)


def test_every_call_that_was_made_is_timed() -> None:
    """An answer, an error and a client that left have their time; a call that the breaker refused has none."""
    rig = Rig()
    waiting, _ = rig.ask()
    rig.clock.advance(0.3)
    rig.transport.pending[0].callback(said())
    assert rig.governor.latency.cumulative[-1] == 1
    assert round(rig.governor.latency.sum, 3) == 0.3
    second, _ = rig.ask()
    rig.clock.advance(0.2)
    second.cancel()
    for _ in range(5):
        rig.answered(raising(GovernorUnavailable("reset")))
    rig.answered(raising(GovernorUnavailable("reset")))
    assert rig.breaker.ended["refused"] == 1
    assert rig.governor.latency.cumulative[-1] == 7
    assert round(rig.governor.latency.sum, 3) == 0.5
    assert waiting.called
