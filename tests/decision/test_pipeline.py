"""The pipeline with fakes: what is asked, in which order, and what can never happen."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.interfaces import Stage
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Decision, Mode
from eve_proxy.model.errors import (
    BodyInterrupted,
    BodyTooLarge,
    GovernorUnavailable,
    JournalUnavailable,
    Malformed,
    Overloaded,
    ResolveFailed,
    SigningFailed,
)
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Modification, Outcome, Verdict, refuse
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.policy.ways import Ways
from tests.fakes.ports import (
    FakeBody,
    FakeClock,
    FakeEntropy,
    FakeFilter,
    FakeGovernor,
    FakeResolver,
    FakeSink,
    drive,
    exchange_of,
    race_nobody,
    race_on,
    request_of,
    run_inline,
    verified_mac,
)

ALLOW = Verdict(outcome=Outcome.ALLOW, reason="ok", governor="fake.governor")
BLOCK = Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128", vector="706", governor="fake.governor")


@dataclass
class Bench:
    """A pipeline on a bench, every part within reach."""

    events: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    entropy: FakeEntropy = field(default_factory=FakeEntropy)
    governor: FakeGovernor = field(default_factory=FakeGovernor)
    head: tuple[Any, ...] = ()
    body: tuple[Any, ...] = ()
    fail_open: bool = False
    race: Any = None
    denied: frozenset[str] = frozenset()
    max_content: int = 1 << 20
    ways: Ways | None = None

    def __post_init__(self) -> None:
        self.sink = FakeSink(self.events)
        self.resolver = FakeResolver(self.events)

    def judge_address(self, address: Any, _port: int) -> Verdict | None:
        return refuse("destination", f"{address} is private") if str(address) in self.denied else None

    def pipeline(self) -> Pipeline:
        return Pipeline(
            head_filters=self.head,
            body_filters=self.body,
            governor=self.governor,
            sink=self.sink,
            resolver=self.resolver,
            judge_address=self.judge_address,
            race=self.race or race_on(self.clock),
            offload=run_inline,
            clock=self.clock,
            entropy=self.entropy,
            deadline=2.0,
            max_content=self.max_content,
            fail_open=self.fail_open,
            ways=self.ways,
        )

    def decide(self, exchange: Exchange | None = None, source: Any = None) -> Decision:
        return drive(self.pipeline().decide(exchange or exchange_of(), source or FakeBody(b'{"prompt": "hello"}')))

    @property
    def only(self) -> DecisionCertificate:
        assert len(self.sink.certificates) == 1
        return self.sink.certificates[0]


def test_allow_is_recorded_before_the_name_is_looked_up() -> None:
    """A DNS query is egress: it may only leave after the record (laws 1 and 2)."""
    bench = Bench()
    decision = bench.decide()
    assert bench.events == ["recorded", "resolved"]
    assert decision.permit is not None
    assert [str(address) for address in decision.permit.addresses] == ["93.184.216.34"]
    assert decision.permit.mode is Mode.FORWARD
    assert decision.permit.certificate_id == bench.only.certificate_id == "cert_00000000000000aa"
    assert verified_mac(bench.only)


PARENT = "proxy.corp.example:3128"


def ways(direct: str = "", *, by_name: bool = False) -> Ways:
    return Ways(name=PARENT, direct=HostSet.parse(direct), by_name=by_name)


def test_through_a_parent_proxy_addresses_are_judged_as_ever() -> None:
    """The permit says through whom, and nothing else changes: looked up after the record, every address judged."""
    bench = Bench(ways=ways())
    decision = bench.decide()
    assert bench.events == ["recorded", "resolved"]
    assert decision.permit is not None
    assert decision.permit.via == PARENT
    assert [str(address) for address in decision.permit.addresses] == ["93.184.216.34"]
    refused = Bench(ways=ways(), denied=frozenset({"93.184.216.34"})).decide()
    assert (refused.permit, refused.verdict.vector) == (None, "destination")


@pytest.mark.parametrize("direct", ["example.com", "93.184.216.0/24"])
def test_what_is_listed_goes_directly(direct: str) -> None:
    """By its name, or by all of its addresses."""
    decision = Bench(ways=ways(direct)).decide()
    assert decision.permit is not None
    assert decision.permit.via is None


def test_by_name_nothing_is_looked_up() -> None:
    """The parent proxy resolves; we ask nobody, and the permit holds no address."""
    bench = Bench(ways=ways(by_name=True))
    decision = bench.decide()
    assert bench.events == ["recorded"]
    assert decision.permit is not None
    assert (decision.permit.addresses, decision.permit.via) == ((), PARENT)


def test_by_name_a_literal_address_is_judged_all_the_same() -> None:
    """What needs no lookup is not left to anybody."""
    exchange = exchange_of(request_of("10.0.0.1:80"))
    bench = Bench(ways=ways(by_name=True), denied=frozenset({"10.0.0.1"}))
    decision = bench.decide(exchange)
    assert (decision.permit, decision.verdict.vector) == (None, "destination")
    permitted = Bench(ways=ways(by_name=True)).decide(exchange).permit
    assert permitted is not None
    assert [str(address) for address in permitted.addresses] == ["10.0.0.1"]


def test_by_name_a_refusal_is_a_refusal() -> None:
    """No permit without a recorded allow, whoever would resolve the name."""
    bench = Bench(ways=ways(by_name=True), governor=FakeGovernor(BLOCK))
    assert bench.decide().permit is None


def test_certificate_says_what_was_decided() -> None:
    """An auditor finds digests and sizes of the request, never its content."""
    bench = Bench()
    bench.decide()
    fields = bench.only.to_dict()
    assert fields["verdict"] == "allow"
    assert fields["governor"] == "fake.governor"
    assert fields["coverage"] == "full"
    assert fields["request"]["host"] == "api.example.com"
    assert fields["request"]["body_bytes"] == 19
    assert len(fields["request"]["body_sha256"]) == 64
    assert b"hello" not in bench.only.line
    assert b"completions" not in bench.only.line


def test_empty_body_has_a_size_but_no_digest() -> None:
    """Unknown is null, and the digest of nothing is never told."""
    bench = Bench()
    bench.decide(source=FakeBody(b""))
    assert bench.only.to_dict()["request"]["body_bytes"] == 0
    assert bench.only.to_dict()["request"]["body_sha256"] is None


def test_connect_is_judged_by_destination_only() -> None:
    """A tunnel's certificate says that nothing but host and port was seen."""
    bench = Bench()
    request = request_of("api.example.com:443", method="CONNECT", scheme="https", target=b"")
    exchange = exchange_of(request, route=Route.CONNECT, coverage=Coverage.DESTINATION)
    decision = drive(bench.pipeline().decide(exchange, None))
    assert decision.permit is not None
    assert decision.permit.mode is Mode.TUNNEL
    digest = bench.only.to_dict()["request"]
    assert digest["path_sha256"] is None
    assert digest["body_bytes"] is None
    assert bench.only.to_dict()["coverage"] == "destination"


def test_veto_gives_no_permit_and_no_lookup() -> None:
    """A blocked request leaves no trace on the network, not even a DNS query."""
    bench = Bench(governor=FakeGovernor(BLOCK))
    decision = bench.decide()
    assert decision.permit is None
    assert bench.events == ["recorded"]
    assert bench.only.to_dict()["matched_pillar"] == "128"


def test_first_refusal_ends_the_judging() -> None:
    """A local refusal is answered without reading the body or asking the governor."""
    bench = Bench(head=(FakeFilter(None), FakeFilter(refuse("blocklist", "listed")), FakeFilter(None)))
    source = FakeBody(b"x")
    decision = bench.decide(source=source)
    assert decision.verdict.vector == "blocklist"
    assert source.reads == 0
    assert bench.governor.asked == []
    assert bench.head[2].seen == []
    assert bench.only.to_dict()["request"]["body_bytes"] is None


def test_body_filters_see_the_body() -> None:
    """A body rule judges what was sent."""
    rule = FakeFilter(refuse("acme", "contains acme"), stage=Stage.BODY)
    bench = Bench(body=(rule,))
    assert bench.decide().verdict.vector == "acme"
    assert rule.seen[0].body is not None
    assert rule.seen[0].body.content == b'{"prompt": "hello"}'
    assert bench.governor.asked == []


@pytest.mark.parametrize(
    "answer", [True, False, "ALLOW", ALLOW, object(), Verdict(outcome=Outcome.FAIL_OPEN, reason="x")]
)
def test_filter_cannot_say_allow(answer: Any) -> None:
    """Whatever a drop-in answers that is not a refusal closes the gate."""
    bench = Bench(head=(FakeFilter(lambda: answer),))
    decision = bench.decide()
    assert decision.permit is None
    assert decision.verdict.outcome is Outcome.FAIL_CLOSED
    assert decision.verdict.pillar == "114"
    assert bench.only.to_dict()["verdict"] == "fail_closed"


@pytest.mark.parametrize(
    "answer", [True, "ALLOWED", {"status": "ALLOWED"}, Outcome.ALLOW, Verdict(outcome=Outcome.FAIL_OPEN, reason="x")]
)
def test_governor_answer_of_another_type_is_fail_closed(answer: Any) -> None:
    """Truthiness never opens the gate."""
    bench = Bench(governor=FakeGovernor(answer))
    decision = bench.decide()
    assert decision.permit is None
    assert decision.verdict.outcome is Outcome.FAIL_CLOSED


def test_deadline_in_the_race() -> None:
    """A governor that is too late is a fail_closed certificate, pillar 114."""
    bench = Bench()
    bench.governor.before = lambda: bench.clock.advance(2.0)
    decision = bench.decide()
    assert decision.permit is None
    assert bench.only.to_dict()["matched_pillar"] == "114"
    assert bench.only.to_dict()["latency_ms"] == 2000


@pytest.mark.parametrize(("seconds", "outcome"), [(1.999, Outcome.ALLOW), (2.0, Outcome.FAIL_CLOSED)])
def test_clock_is_compared_even_when_no_timer_fires(seconds: float, outcome: Outcome) -> None:
    """A judge that blocks the whole process past the deadline does not get its allow through."""
    bench = Bench(race=race_nobody)
    bench.governor.before = lambda: bench.clock.advance(seconds)
    assert bench.decide().verdict.outcome is outcome


@pytest.mark.parametrize("where", ["head", "body"])
def test_slow_filter_counts(where: str) -> None:
    """Local rules run on the same clock as the governor."""
    bench = Bench()
    slow = FakeFilter(lambda: bench.clock.advance(2.5))
    setattr(bench, where, (slow,))
    assert bench.decide().verdict.outcome is Outcome.FAIL_CLOSED
    assert bench.governor.asked == []


def test_late_block_stays_a_block_even_when_failing_open() -> None:
    """A refusal that is known, however late, is never replaced by a fail_open."""
    bench = Bench(governor=FakeGovernor(BLOCK), race=race_nobody, fail_open=True)
    bench.governor.before = lambda: bench.clock.advance(9.0)
    assert bench.decide().verdict.outcome is Outcome.BLOCK


def test_clock_stands_still_while_the_body_arrives() -> None:
    """A slow upload is the client's time, not the judge's."""
    bench = Bench()
    decision = bench.decide(source=FakeBody(b"slow", arrive=lambda: bench.clock.advance(60)))
    assert decision.verdict.outcome is Outcome.ALLOW
    assert bench.only.to_dict()["latency_ms"] == 0


def test_fail_open_replaces_failures_of_judging_and_says_so() -> None:
    """EVE_PROXY_FAIL_CLOSED=0 lets a request out when the governor fails, and the certificate says fail_open."""
    bench = Bench(governor=FakeGovernor(GovernorUnavailable("refused")), fail_open=True)
    decision = bench.decide()
    assert decision.permit is not None
    assert bench.only.to_dict()["verdict"] == "fail_open"
    assert bench.only.to_dict()["matched_pillar"] == "114"


@pytest.mark.parametrize("failure", [JournalUnavailable("disk full"), SigningFailed("no key"), RuntimeError("secret!")])
def test_fail_open_never_opens_the_journal(failure: Exception) -> None:
    """No record, no request, also in development."""
    bench = Bench(governor=FakeGovernor(GovernorUnavailable("refused")), fail_open=True)
    bench.sink.failure = failure
    decision = bench.decide()
    assert decision.permit is None
    assert decision.verdict.outcome is Outcome.FAIL_CLOSED
    assert "secret!" not in decision.verdict.reason
    assert bench.resolver.asked == []


@pytest.mark.parametrize("rule", ["blocklist", "destination"])
def test_fail_open_never_opens_a_refusal(rule: str) -> None:
    """Local rules hold in development too."""
    bench = Bench(head=(FakeFilter(refuse(rule, "no")),), fail_open=True)
    assert bench.decide().permit is None


@pytest.mark.parametrize(("failure", "status", "vector"), [(BodyTooLarge("big"), 413, "body_limit")])
def test_bound_of_the_body_is_a_certified_refusal(failure: Exception, status: int, vector: str) -> None:
    """A body over the limit is answered 413 with a block certificate, fail-open or not."""
    for fail_open in (False, True):
        bench = Bench(fail_open=fail_open)
        decision = bench.decide(source=FakeBody(failure=failure))
        assert decision.permit is None
        assert decision.verdict.status == status
        assert bench.only.to_dict()["matched_vector"] == vector


@pytest.mark.parametrize("failure", [Malformed("chunk-size", "bad"), BodyInterrupted("gone"), Overloaded("full")])
def test_what_never_became_a_request_is_not_certified(failure: Exception) -> None:
    """Broken framing, a client that left and a full house are the entry point's to answer."""
    bench = Bench(fail_open=True)
    with pytest.raises(type(failure)):
        bench.decide(source=FakeBody(failure=failure))
    assert bench.sink.certificates == []


def test_compressed_body_is_judged_decoded() -> None:
    """gzip does not hide a prompt from the judge; the digest is that of the bytes sent."""
    bench = Bench()
    request = request_of(headers=Headers.of([(b"Content-Encoding", b"gzip")]))
    packed = gzip.compress(b"attack " * 100)
    bench.decide(exchange_of(request), FakeBody(packed))
    asked = bench.governor.asked[0].body
    assert asked is not None
    assert asked.content == b"attack " * 100
    assert asked.size == len(packed)


@pytest.mark.parametrize(
    ("encoding", "data"), [(b"gzip", b"not gzip"), (b"snappy", b"x"), (b"gzip", gzip.compress(b"\0" * 4096, mtime=0))]
)
def test_body_that_cannot_be_inspected_is_refused(encoding: bytes, data: bytes) -> None:
    """Corrupt, unknown or exploding encodings are a block, never a fail-open."""
    bench = Bench(fail_open=True, max_content=2048)
    request = request_of(headers=Headers.of([(b"Content-Encoding", encoding)]))
    decision = bench.decide(exchange_of(request), FakeBody(data))
    assert decision.permit is None
    assert decision.verdict.outcome is Outcome.BLOCK
    assert bench.only.to_dict()["reason"] == "body not inspectable"


def test_refused_address_is_a_second_certificate() -> None:
    """A name that resolves to a private address is blocked, and the block names the allow it follows."""
    bench = Bench(denied=frozenset({"10.0.0.7"}))
    bench.resolver.answer = ("93.184.216.34", "10.0.0.7")
    decision = bench.decide()
    assert decision.permit is None
    first, second = (certificate.to_dict() for certificate in bench.sink.certificates)
    assert (first["verdict"], second["verdict"]) == ("allow", "block")
    assert second["parent"] == first["certificate_id"] != second["certificate_id"]
    assert decision.certificate is bench.sink.certificates[1]


def test_failed_lookup_is_no_second_verdict() -> None:
    """A name that does not exist is a 502 after the allow."""
    bench = Bench()
    bench.resolver.answer = ResolveFailed("no such name")
    decision = bench.decide()
    assert decision.permit is None
    assert decision.failure == "no such name"
    assert decision.verdict.outcome is Outcome.ALLOW


def test_literal_address_is_not_looked_up() -> None:
    """An address in the URL is dialled as it is, judged once more."""
    bench = Bench()
    decision = bench.decide(exchange_of(request_of("93.184.216.34:8080")))
    assert decision.permit is not None
    assert bench.resolver.asked == []


@pytest.mark.parametrize("route", [Route.LIBRARY, Route.EXT_AUTHZ])
def test_routes_that_do_not_dial_get_no_permit(route: Route) -> None:
    """Whoever only asks for a verdict cannot open a connection with it."""
    bench = Bench()
    decision = bench.decide(exchange_of(route=route))
    assert decision.verdict.outcome is Outcome.ALLOW
    assert decision.permit is None
    assert bench.resolver.asked == []


def test_modification_is_carried_out_and_recorded() -> None:
    """What leaves is the modified body; the certificate has both digests and judges the original."""
    verdict = Verdict(
        outcome=Outcome.ALLOW,
        reason="redacted",
        obligations=(Modification(field="body", value="clean"), Modification(field="headers.x-mode", value="safe")),
    )
    bench = Bench(governor=FakeGovernor(verdict))
    decision = bench.decide()
    assert decision.permit is not None
    assert decision.exchange.body is not None
    assert decision.exchange.body.chunks == (b"clean",)
    assert decision.exchange.request.headers.get(b"x-mode") == b"safe"
    fields = bench.only.to_dict()
    assert fields["request"]["body_bytes"] == 19
    assert [change["field"] for change in fields["record"]["modified"]] == ["body", "headers.x-mode"]


@pytest.mark.parametrize("field", ["path", "method", "headers", "Body", "headers.\u00fc"])
def test_obligation_that_is_not_understood_blocks(field: str) -> None:
    """An allow with a condition that we cannot meet is no allow."""
    verdict = Verdict(outcome=Outcome.ALLOW, reason="if", obligations=(Modification(field=field, value="x"),))
    bench = Bench(governor=FakeGovernor(verdict))
    decision = bench.decide()
    assert decision.permit is None
    assert bench.only.to_dict()["verdict"] == "block"


def test_refuse_after_an_allow_points_to_it() -> None:
    """What comes to light later is a second certificate of the same exchange, with the first as its parent."""
    bench = Bench()
    pipeline, exchange = bench.pipeline(), exchange_of()
    allow = drive(pipeline.decide(exchange, FakeBody())).certificate
    assert allow is not None
    seen = {"tunnel": {"sni": "evil.example"}}
    second = drive(pipeline.refuse(exchange, refuse("sni", "no"), parent=allow, record=seen))
    assert second.permit is None
    fields = bench.sink.certificates[-1].to_dict()
    assert (fields["verdict"], fields["matched_vector"], fields["record"]) == ("block", "sni", seen)
    assert fields["parent"] == allow.certificate_id != fields["certificate_id"]


def test_refuse_cannot_be_used_to_allow() -> None:
    """The short way for refusals refuses even when it is handed an allow."""
    bench = Bench()
    decision = drive(bench.pipeline().refuse(exchange_of(), ALLOW))
    assert decision.permit is None
    assert decision.verdict.outcome is Outcome.FAIL_CLOSED


class Surprise(Exception):
    """An exception nobody expects."""


@given(
    where=st.sampled_from(["head", "body", "governor", "source", "resolver", "sink", "address"]),
    error=st.sampled_from(
        [Surprise("x"), KeyError("x"), MemoryError(), RecursionError(), TimeoutError(), ValueError()]
    ),
    fail_open=st.booleans(),
)
def test_exception_at_any_port_never_ends_in_allow(where: str, error: Exception, fail_open: bool) -> None:
    """Whatever breaks wherever, nothing leaves unless the operator opened the gate for failures of judging."""
    bench = Bench(fail_open=fail_open)
    source = FakeBody(b"x")
    if where in ("head", "body"):
        setattr(bench, where, (FakeFilter(error),))
    elif where == "governor":
        bench.governor.answer = error
    elif where == "source":
        source.failure = error
    elif where == "resolver":
        bench.resolver.answer = error
    elif where == "sink":
        bench.sink.failure = error
    pipeline = bench.pipeline()
    if where == "address":

        def broken(_address: Any, _port: int) -> None:
            raise error

        object.__setattr__(pipeline, "judge_address", broken)
    try:
        decision = drive(pipeline.decide(exchange_of(), source))
    except type(error):
        assert where in ("resolver", "address")
        return
    opened = fail_open and where in ("head", "body", "governor")
    assert (decision.permit is not None) is opened
    if decision.permit is not None:
        assert bench.only.to_dict()["verdict"] == "fail_open"


BROKEN = FakeFilter(ValueError("a defect"), name="broken")


def test_fail_open_does_not_silence_the_rules_behind_a_broken_one() -> None:
    """EVE_PROXY_FAIL_CLOSED=0 passes over a filter that fails, never over what another one refuses."""
    listed = FakeFilter(refuse("blocklist", "listed"), name="blocklist")
    for places in ({"head": (BROKEN, listed)}, {"head": (BROKEN,), "body": (listed,)}, {"body": (BROKEN, listed)}):
        bench = Bench(fail_open=True, **places)  # type: ignore[arg-type]
        decision = bench.decide(source=FakeBody(b"x"))
        assert decision.permit is None
        assert decision.verdict.vector == "blocklist"
        assert bench.resolver.asked == []


@pytest.mark.parametrize("late", [False, True])
def test_fail_open_sends_the_whole_body(late: bool) -> None:
    """A failure before the body was read does not send the request without it."""
    bench = Bench(fail_open=True)
    slow = FakeFilter(name="slow")
    slow.answer = lambda: bench.clock.advance(60)
    bench.head = (slow if late else BROKEN,)
    decision = bench.decide(source=FakeBody(b"payload"))
    assert decision.verdict.outcome is Outcome.FAIL_OPEN
    assert decision.exchange.body is not None
    assert decision.exchange.body.content == b"payload"
    assert bench.only.to_dict()["request"]["body_bytes"] == 7


def test_fail_open_keeps_the_bound_of_the_body() -> None:
    """Neither does it let a body out that is too large to be looked at."""
    bench = Bench(fail_open=True, head=(BROKEN,))
    decision = bench.decide(source=FakeBody(failure=BodyTooLarge("too large")))
    assert decision.permit is None
    assert decision.verdict.status == 413


def test_a_filter_that_fails_does_not_hide_the_content_from_the_others() -> None:
    """With EVE_PROXY_FAIL_CLOSED=0 the remaining rules still see the decoded body, and a broken one still blocks."""
    rule = FakeFilter(stage=Stage.BODY)
    bench = Bench(fail_open=True, head=(FakeFilter(RuntimeError()),), body=(rule,))
    request = request_of(headers=Headers.of([(b"Content-Encoding", b"gzip")]))
    bench.decide(exchange_of(request), FakeBody(gzip.compress(b"plain")))
    assert rule.seen[0].body is not None
    assert rule.seen[0].body.content == b"plain"
    broken = Bench(fail_open=True, head=(FakeFilter(RuntimeError()),))
    assert broken.decide(exchange_of(request), FakeBody(b"not gzip")).verdict.vector == "content_encoding"


def test_a_decoder_that_hangs_is_raced() -> None:
    """Decoding a large body counts against the deadline like everything else."""
    bench = Bench(max_content=1 << 20)
    raced: list[float] = []

    def race(awaitable: Any, seconds: float) -> Any:
        raced.append(seconds)
        return awaitable

    bench.race = race
    request = request_of(headers=Headers.of([(b"Content-Encoding", b"gzip")]))
    body = gzip.compress(os.urandom(100_000))
    bench.decide(exchange_of(request), FakeBody(body))
    assert raced == [2.0, 2.0]


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("fail_open", [False, True])
def test_what_a_body_decodes_to_needs_room_too(size: int, fail_open: bool) -> None:
    """A few bytes cannot fill the memory by what they unfold to; the bound holds in development as well."""
    request = request_of(headers=Headers.of([(b"Content-Encoding", b"gzip")]))
    content = os.urandom(size)
    for room, fits in ((size, True), (size - 1, False)):
        bench, source = Bench(max_content=1 << 20, fail_open=fail_open), FakeBody(gzip.compress(content))
        source.room = room
        if fits:
            assert bench.decide(exchange_of(request), source).permit is not None
            assert source.held == size
        else:
            with pytest.raises(Overloaded):
                bench.decide(exchange_of(request), source)
            assert (source.held, bench.governor.asked, bench.sink.certificates) == (0, [], [])


def test_room_is_needed_even_when_a_judge_is_passed_over() -> None:
    """EVE_PROXY_FAIL_CLOSED=0 reads the body past a broken rule, and counts it all the same."""
    bench, source = Bench(fail_open=True, head=(BROKEN,)), FakeBody(gzip.compress(b"x" * 50))
    source.room = 49
    request = request_of(headers=Headers.of([(b"Content-Encoding", b"gzip")]))
    with pytest.raises(Overloaded):
        bench.decide(exchange_of(request), source)
    assert bench.sink.certificates == []


@pytest.mark.parametrize("fail_open", [False, True])
def test_no_room_for_the_question_is_no_failure_of_judging(fail_open: bool) -> None:
    """A bound is never opened: the entry point refuses, whatever EVE_PROXY_FAIL_CLOSED says."""
    bench = Bench(governor=FakeGovernor(Overloaded("full")), fail_open=fail_open)
    with pytest.raises(Overloaded):
        bench.decide()
    assert bench.sink.certificates == []


@pytest.mark.parametrize("error", [Malformed("x", "x"), BodyInterrupted("x")])
def test_a_judge_cannot_speak_for_the_body(error: Exception) -> None:
    """Only the body itself can say that there was no request; from a governor the same exception is a failure."""
    bench = Bench(governor=FakeGovernor(error))
    assert bench.decide().verdict.outcome is Outcome.FAIL_CLOSED
    assert bench.only.to_dict()["matched_pillar"] == "114"
