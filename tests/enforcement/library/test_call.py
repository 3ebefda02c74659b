"""The call as the pipeline and the certificate see it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.enforcement.library.errors import FailClosedError
from eve_proxy.enforcement.library.ports import CallText
from eve_proxy.model.body import Body
from eve_proxy.model.errors import (
    BodyInterrupted,
    GovernorMisbehaved,
    JournalUnavailable,
    Malformed,
    Overloaded,
    SigningFailed,
)
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.signing.verification import verify_certificate
from tests.fakes.library import LibraryBench, refusal, told
from tests.fakes.ports import SECRET


def call_llm(prompt: str) -> dict[str, str]:
    return {"text": prompt}


def test_the_certificate_says_which_call_was_decided() -> None:
    """Digests of the function's name and of what was judged; never the text itself."""
    bench = LibraryBench()
    certificate = bench.enforce(org_id="bank")(call_llm)("my secret plan")["certificate"]
    document = b'{"arguments":{"prompt":"my secret plan"}}'
    assert bench.judged == [document]
    assert certificate["request"] == {
        "method": "CALL",
        "scheme": "python",
        "host": "library.invalid",
        "port": 65535,
        "path_sha256": hashlib.sha256(b"/%b.call_llm" % __name__.encode()).hexdigest(),
        "body_sha256": hashlib.sha256(document).hexdigest(),
        "body_bytes": len(document),
        "request_id": None,
    }
    assert (certificate["coverage"], certificate["org_id"], certificate["parent"]) == ("full", "bank", None)
    assert "secret" not in str(certificate)


def test_the_governor_is_asked_about_a_library_call() -> None:
    """The question names the route, the caller, the function and JSON; it may take as long as the call has."""
    bench = LibraryBench()
    bench.enforce(timeout_s=7.5)(call_llm)("hi")
    (exchange,) = bench.governor.asked
    assert (exchange.route, exchange.caller, exchange.coverage) == (Route.LIBRARY, "svc.call", Coverage.FULL)
    assert exchange.request.target.endswith(b".call_llm")
    assert exchange.request.headers.get(b"content-type") == b"application/json"
    assert bench.budgets == [7.5]


def test_without_fmi_the_text_is_not_judged_and_the_certificate_says_so() -> None:
    """run_fmi=False: coverage none, no digest of what nobody looked at; the policy still decides who may call."""
    bench = LibraryBench()
    certificate = bench.enforce(run_fmi=False, fmi_input="ignored")(call_llm)("hi")["certificate"]
    assert certificate["coverage"] == "none"
    assert (certificate["request"]["body_sha256"], certificate["request"]["body_bytes"]) == (None, None)
    assert bench.judged == [b""]
    bench.governor.answer = GovernorMisbehaved("no answer")
    assert told(refusal(bench.enforce(run_fmi=False)(call_llm), "hi"))["coverage"] == "none"


def test_a_callable_fmi_input_that_raises_is_pillar_114() -> None:
    """What to judge could not be found out: nothing runs, and the caller sees why."""
    bench = LibraryBench()

    def pick(prompt: str) -> str:
        raise KeyError(prompt)

    error = refusal(bench.enforce(fmi_input=pick)(call_llm), "secret")
    assert told(error)["matched_pillar"] == "114"
    assert told(error)["reason"] == "the call's text cannot be read: KeyError"
    assert isinstance(error.__cause__, KeyError)
    assert bench.governor.asked == []


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_callable_fmi_input_that_wants_to_exit_is_pillar_114(kind: type[BaseException]) -> None:
    """So is any other way of not answering."""
    bench = LibraryBench()

    def pick(prompt: str) -> str:
        raise kind

    assert told(refusal(bench.enforce(fmi_input=pick)(call_llm), "x"))["matched_pillar"] == "114"


@pytest.mark.parametrize(
    "error", [Malformed("x", "y"), BodyInterrupted(), Overloaded()], ids=lambda error: type(error).__name__
)
def test_what_only_a_connection_can_answer_is_pillar_114(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The pipeline leaves some failures of reading to the edge; a call has none but its caller."""

    async def read(_: CallText) -> Body:
        raise error

    monkeypatch.setattr(CallText, "read", read)
    certificate = told(refusal(LibraryBench().enforce()(call_llm), "hi"))
    assert certificate["matched_pillar"] == "114"
    assert certificate["reason"] == f"judging failed: {type(error).__name__}"


def test_a_callable_fmi_input_that_takes_too_long_is_pillar_114() -> None:
    """Its time counts."""
    bench = LibraryBench()

    def pick(prompt: str) -> str:
        bench.clock.advance(2)
        return prompt

    assert told(refusal(bench.enforce(fmi_input=pick)(call_llm), "x"))["matched_pillar"] == "114"


def test_arguments_that_do_not_fit_are_pillar_114() -> None:
    """A call that the function itself would refuse is refused and on record, with the TypeError as cause."""
    error = refusal(LibraryBench().enforce()(call_llm))
    assert told(error)["matched_pillar"] == "114"
    assert isinstance(error.__cause__, TypeError)


def test_a_text_over_the_limit_is_a_local_block() -> None:
    """The same rule as for a request body."""
    certificate = told(refusal(LibraryBench().enforce()(call_llm), "x" * 10_001))
    assert (certificate["verdict"], certificate["matched_pillar"], certificate["matched_vector"]) == (
        "block", "local", "body_limit",
    )  # fmt: skip


FAILURES = [
    ValueError("x"), OSError("x"), RuntimeError("x"), RecursionError(), MemoryError(), SystemExit(),
    KeyboardInterrupt(), GeneratorExit(), Malformed("fault", "x"), BodyInterrupted("x"), Overloaded("x"),
    SigningFailed("x"), JournalUnavailable("x"), TimeoutError("x"), StopIteration(), StopAsyncIteration(),
    BaseException(), FailClosedError("x", None),
]  # fmt: skip
ANSWERS: list[Any] = [
    True, 1, "ALLOW", Outcome.ALLOW, object(), Verdict(outcome=Outcome.BLOCK, reason="no"),
    Verdict(outcome=Outcome.FAIL_OPEN, reason="no"), Verdict(outcome=Outcome.FAIL_CLOSED, reason="no"),
]  # fmt: skip


@given(
    answer=st.sampled_from([*FAILURES, *ANSWERS]),
    journal=st.none() | st.sampled_from([error for error in FAILURES if isinstance(error, Exception)]),
    seconds=st.sampled_from([0.0, 1.0, 5.0]),
    fail_open=st.booleans(),
)
def test_no_failure_of_any_port_lets_a_function_run(
    answer: Any, journal: Exception | None, seconds: float, fail_open: bool
) -> None:
    """Whatever the governor raises or says, the journal raises and the clock shows: no allow, no call."""
    bench, ran = LibraryBench(answer, fail_open=fail_open), []
    bench.journal.failure = journal
    bench.governor.before = lambda: bench.clock.advance(seconds)
    try:
        bench.enforce()(ran.append)("x")
    except FailClosedError as error:
        signed = error.certificate is None or verify_certificate(error.certificate.to_dict(), SECRET)
        expected = []
    else:
        signed, expected = True, ["x"]
        assert fail_open
        assert bench.journal.kinds == [("fail_open", "114")]
    assert signed
    assert ran == ([] if journal is not None or seconds >= 2 else expected)
