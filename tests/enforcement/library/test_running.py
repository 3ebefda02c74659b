"""What a caller of an enforced function meets, plain and coroutine alike: the guarantees of the guide's section 7."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Callable, Generator
from typing import Any

import pytest

from eve_proxy.enforcement.library.call import last_certificate
from eve_proxy.enforcement.library.errors import FailClosedError
from eve_proxy.enforcement.library.runners import Runners
from eve_proxy.enforcement.library.waiting import BlockingWait
from eve_proxy.model.errors import GovernorUnavailable, JournalUnavailable, SigningFailed
from eve_proxy.signing.verification import verify_certificate
from eve_proxy.system import SystemClock
from tests.fakes.library import VETO, LibraryBench, refusal, told
from tests.fakes.ports import SECRET

Wrap = Callable[..., Callable[..., Any]]


def plain(bench: LibraryBench, body: Callable[..., Any], **terms: Any) -> Callable[..., Any]:
    """``body`` as an enforced function."""

    def function(prompt: str = "hello") -> Any:
        return body(prompt)

    return bench.enforce(**terms)(function)


def coroutine(bench: LibraryBench, body: Callable[..., Any], **terms: Any) -> Callable[..., Any]:
    """``body`` as an enforced coroutine function, called from a loop of its own."""

    async def function(prompt: str = "hello") -> Any:
        await asyncio.sleep(0)
        return body(prompt)

    wrapped = bench.enforce(**terms)(function)

    async def main(prompt: str) -> Any:
        return await wrapped(prompt)

    return lambda prompt="hello": asyncio.run(main(prompt))


both = pytest.mark.parametrize("wrap", [plain, coroutine])


def echo(prompt: str) -> dict[str, str]:
    return {"text": prompt}


@both
def test_an_allowed_call_returns_its_dict_with_the_certificate(wrap: Wrap) -> None:
    """The guide's ``result["certificate"]`` is the signed allow, and the function's own dict is not touched."""
    bench, own = LibraryBench(), {"text": "hi"}
    result = wrap(bench, lambda _: own)()
    assert own == {"text": "hi"}
    assert result["text"] == "hi"
    certificate = result["certificate"]
    assert certificate == bench.journal.certificates[0].to_dict()
    assert (certificate["verdict"], certificate["caller"], certificate["org_id"]) == ("allow", "svc.call", "acme")
    assert certificate["coverage"] == "full"
    assert verify_certificate(certificate, SECRET)
    assert len(bench.journal.certificates) == 1


@both
@pytest.mark.parametrize("value", ["text", None, 7, ["list"], ("tuple",)])
def test_other_results_are_returned_as_they_are(wrap: Wrap, value: Any) -> None:
    """A function that returns no dict keeps its result."""
    assert wrap(LibraryBench(), lambda _: value)() is value


def test_a_dict_of_another_class_keeps_its_class() -> None:
    """An OrderedDict stays one, a defaultdict too; neither is changed in place."""
    for own in (OrderedDict(a=1), defaultdict(list, a=1)):
        result = plain(LibraryBench(), lambda _, own=own: own)()
        assert type(result) is type(own)
        assert result["certificate"]["verdict"] == "allow"
        assert "certificate" not in own


@both
def test_a_veto_keeps_the_function_from_running(wrap: Wrap) -> None:
    """A block of pillar 128 raises, with the signed certificate, and the function never began."""
    bench, ran = LibraryBench(VETO), []
    certificate = told(refusal(wrap(bench, ran.append)))
    assert (certificate["verdict"], certificate["matched_pillar"], certificate["matched_vector"]) == (
        "block", "128", "706",
    )  # fmt: skip
    assert verify_certificate(certificate, SECRET)
    assert ran == []


@both
def test_a_failure_of_judging_is_pillar_114(wrap: Wrap) -> None:
    """A governor that cannot be asked means no call."""
    bench, ran = LibraryBench(GovernorUnavailable("refused")), []
    certificate = told(refusal(wrap(bench, ran.append)))
    assert (certificate["verdict"], certificate["matched_pillar"], certificate["reason"]) == (
        "fail_closed", "114", "refused",
    )  # fmt: skip
    assert ran == []


@both
def test_fail_open_lets_a_failure_of_judging_pass_and_nothing_else(wrap: Wrap) -> None:
    """EVE_PROXY_FAIL_CLOSED=0 opens failures of judging; a veto, the journal and the function's own stay closed."""
    result = wrap(LibraryBench(GovernorUnavailable("refused"), fail_open=True), echo)()
    assert result["certificate"]["verdict"] == "fail_open"
    assert told(refusal(wrap(LibraryBench(VETO, fail_open=True), echo)))["verdict"] == "block"
    bench = LibraryBench(fail_open=True)
    bench.journal.failure = JournalUnavailable("disk full")
    assert refusal(wrap(bench, echo)).reason == "disk full"
    assert told(refusal(wrap(LibraryBench(fail_open=True), _boom)))["matched_pillar"] == "114"


def _boom(_: str) -> None:
    raise ValueError("a secret of the caller")


@both
def test_an_exception_of_the_function_is_a_second_certificate(wrap: Wrap) -> None:
    """An exception after the allow is pillar 114 with the allow as parent; its text stays out of the certificate."""
    bench = LibraryBench()
    error = refusal(wrap(bench, _boom))
    certificate = told(error)
    allow, second = bench.journal.certificates
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]
    assert certificate == second.to_dict()
    assert certificate["parent"] == allow.certificate_id != certificate["certificate_id"]
    assert certificate["reason"] == "the function raised ValueError"
    assert certificate["request"] == allow.to_dict()["request"]
    assert isinstance(error.__cause__, ValueError)
    assert "secret" not in str(certificate)
    assert verify_certificate(certificate, SECRET)


@both
@pytest.mark.parametrize("late", [2.0, 2.001, 30.0])
def test_a_function_that_is_done_too_late_is_vetoed(wrap: Wrap, late: float) -> None:
    """At the deadline or after it, a result is not handed out, even when it is there."""
    bench = LibraryBench()
    certificate = told(refusal(wrap(bench, lambda _: bench.clock.advance(late))))
    assert certificate["matched_pillar"] == "114"
    assert certificate["parent"] == bench.journal.certificates[0].certificate_id
    assert certificate["reason"] == "the function did not finish within 2 s"
    assert certificate["latency_ms"] == late * 1000


@both
def test_a_function_that_is_done_just_in_time_is_not(wrap: Wrap) -> None:
    """A millisecond before the deadline is in time."""
    bench = LibraryBench()
    wrap(bench, lambda _: bench.clock.advance(1.999))()
    assert bench.journal.kinds == [("allow", None)]


@both
def test_time_spent_judging_is_missing_when_running(wrap: Wrap) -> None:
    """timeout_s is for both together."""
    bench = LibraryBench()
    bench.governor.before = lambda: bench.clock.advance(1.5)
    assert told(refusal(wrap(bench, lambda _: bench.clock.advance(0.6))))["reason"].startswith("the function did not")


@both
def test_a_longer_timeout_is_a_longer_deadline(wrap: Wrap) -> None:
    """timeout_s holds, whatever the daemon's own default is."""
    bench = LibraryBench()
    bench.governor.before = lambda: bench.clock.advance(3)
    wrap(bench, lambda _: bench.clock.advance(3), timeout_s=6.5)()
    assert bench.journal.kinds == [("allow", None)]


@both
def test_a_judge_that_is_too_late_means_no_call(wrap: Wrap) -> None:
    """An allow after the deadline is none; there is one certificate, and nothing ran."""
    bench, ran = LibraryBench(), []
    bench.governor.before = lambda: bench.clock.advance(2)
    certificate = told(refusal(wrap(bench, ran.append)))
    assert bench.journal.kinds == [("fail_closed", "114")]
    assert (certificate["parent"], ran) == (None, [])


@both
def test_a_record_that_takes_too_long_takes_the_allow_back(wrap: Wrap) -> None:
    """When the deadline passes while the allow is written, the function does not run."""
    bench, ran = LibraryBench(), []
    bench.journal.before = lambda draft: bench.clock.advance(2 if draft.verdict == "allow" else 0)
    told(refusal(wrap(bench, ran.append)))
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]
    assert ran == []


@both
@pytest.mark.parametrize("failure", [JournalUnavailable("disk full"), SigningFailed("no key"), OSError("x")])
def test_no_record_no_call(wrap: Wrap, failure: Exception) -> None:
    """A journal or a signer that fails keeps every function from running, whatever it raises."""
    bench, ran = LibraryBench(), []
    bench.journal.failure = failure
    assert isinstance(refusal(wrap(bench, ran.append)), FailClosedError)
    assert ran == []


@both
def test_a_function_that_hangs_is_vetoed_at_the_deadline(wrap: Wrap) -> None:
    """The caller gets its answer when the time is up, whether or not the function ever ends."""
    bench, release = LibraryBench(clock=SystemClock()), threading.Event()
    if wrap is plain:
        error = refusal(wrap(bench, lambda _: release.wait(20), timeout_s=0.1))
        release.set()
    else:
        error = _stubborn(bench)
    assert told(error)["reason"] == "the function did not finish within 0.1 s"
    assert told(error)["latency_ms"] < 5000
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]


def _stubborn(bench: LibraryBench) -> FailClosedError:
    """The refusal of a coroutine that does not let itself be cancelled."""

    async def stubborn() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                continue

    async def main() -> FailClosedError:
        try:
            await bench.enforce(timeout_s=0.1)(stubborn)()
        except FailClosedError as error:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                while not task.done():
                    task.cancel()
                    await asyncio.sleep(0)
            return error
        raise AssertionError("it was not refused")

    return asyncio.run(main())


@both
def test_a_judge_that_hangs_is_given_up_at_the_deadline(wrap: Wrap) -> None:
    """The caller of a function whose judge never answers is refused in time."""
    bench, release, ran = LibraryBench(clock=SystemClock()), threading.Event(), []
    bench.governor.before = lambda: release.wait(20)
    certificate = told(refusal(wrap(bench, ran.append, timeout_s=0.1)))
    release.set()
    assert certificate["matched_pillar"] == "114"
    assert certificate["latency_ms"] < 5000
    assert ran == []


@both
def test_an_fmi_input_that_hangs_is_given_up_at_the_deadline(wrap: Wrap) -> None:
    """So is the callable that finds the text."""
    bench, release, ran = LibraryBench(clock=SystemClock()), threading.Event(), []

    def pick(prompt: str = "") -> str:
        release.wait(20)
        return prompt

    began = bench.clock.monotonic()
    certificate = told(refusal(wrap(bench, ran.append, timeout_s=0.1, fmi_input=pick)))
    assert bench.clock.monotonic() - began < 5
    release.set()
    assert certificate["matched_pillar"] == "114"
    assert certificate["reason"] == "enforcement deadline of 0.1 s exceeded"
    assert ran == []


@pytest.mark.parametrize("how", ["positional", "named", "held", "held by name"])
def test_an_argument_that_hangs_when_it_is_read_is_given_up_at_the_deadline(how: str) -> None:
    """A container that loads its members from somewhere runs its own code: a caller leaves it as it leaves a judge."""
    bench, release, ran = LibraryBench(clock=SystemClock()), threading.Event(), []

    class Lazy(UserDict[str, str]):
        def items(self) -> Any:
            release.wait(20)
            return super().items()

    def function(messages: Any) -> None:
        ran.append(messages)

    calls = {
        "positional": lambda: bench.enforce(timeout_s=0.1)(function)(Lazy()),
        "named": lambda: bench.enforce(timeout_s=0.1)(function)(messages=Lazy()),
        "held": bench.enforce(timeout_s=0.1)(functools.partial(function, Lazy())),
        "held by name": bench.enforce(timeout_s=0.1)(functools.partial(function, messages=Lazy())),
    }
    began = bench.clock.monotonic()
    certificate = told(refusal(calls[how]))
    assert bench.clock.monotonic() - began < 5
    release.set()
    assert certificate["reason"] == "enforcement deadline of 0.1 s exceeded"
    assert ran == []


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_wish_to_end_the_program_is_passed_on(kind: type[BaseException]) -> None:
    """sys.exit() in an enforced function ends the program as ever, and is on record."""
    bench = LibraryBench()

    def leave(_: str) -> None:
        raise kind(3)

    with pytest.raises(kind):
        plain(bench, leave)()
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]


@both
def test_context_variables_go_in_and_come_back(wrap: Wrap) -> None:
    """Request-bound values are seen by the function, and what it sets is seen after the call."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen = []

    def body(_: str) -> None:
        seen.append(variable.get())
        variable.set("by the function")

    if wrap is plain:
        variable.set("by the caller")
        plain(LibraryBench(), body)()
        seen.append(variable.get())
    else:
        bench = LibraryBench()

        async def function() -> None:
            body("")

        async def main() -> None:
            variable.set("by the caller")
            await bench.enforce()(function)()
            seen.append(variable.get())

        asyncio.run(main())
    assert seen == ["by the caller", "by the function"]


def test_the_latest_certificate_can_be_asked_for() -> None:
    """A function that returns no dict leaves its certificate with ``last_certificate``; so does a refusal."""
    bench = LibraryBench()
    plain(bench, lambda _: "text")()
    assert last_certificate() is bench.journal.certificates[0]
    refusal(plain(bench, _boom))
    assert last_certificate() is bench.journal.certificates[2]


def test_the_latest_certificate_is_the_outer_calls() -> None:
    """A function that calls another enforced one does not pass that one's certificate off as its own."""
    bench = LibraryBench()
    plain(bench, lambda _: plain(bench, echo)()["text"])()
    assert last_certificate() is bench.journal.certificates[0]


def test_two_calls_do_not_mix_their_certificates() -> None:
    """Threads that call at the same time each find their own."""
    bench, found = LibraryBench(), {}

    def worker(number: int) -> None:
        result = plain(bench, echo)(str(number))
        latest = last_certificate()
        assert latest is not None
        found[number] = (result["text"], result["certificate"]["certificate_id"] == latest.certificate_id)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {number: (str(number), True) for number in range(8)}


def test_what_would_run_later_is_not_handed_out() -> None:
    """A generator or coroutine that an innocent-looking function returns would run unwatched: refused, and closed."""
    entered = []

    def lazy(_: str) -> Any:
        return (entered.append(number) for number in range(3))

    assert "generator or awaitable" in told(refusal(plain(LibraryBench(), lazy)))["reason"]

    async def later() -> None:
        entered.append("ran")

    coroutine_object = later()
    assert "generator or awaitable" in told(refusal(plain(LibraryBench(), lambda _: coroutine_object)))["reason"]
    assert inspect.getcoroutinestate(coroutine_object) == inspect.CORO_CLOSED
    assert entered == []


def test_neither_is_what_can_be_awaited() -> None:
    """A task or a lazy query that a function returns would do its work after the certificate."""

    class Query:
        def __await__(self) -> Generator[None, None, str]:
            yield
            return "rows"

    assert "generator or awaitable" in told(refusal(plain(LibraryBench(), lambda _: Query())))["reason"]

    async def starts(_: str) -> Any:
        return asyncio.ensure_future(asyncio.sleep(0))

    enforced = LibraryBench().enforce()(starts)
    assert "generator or awaitable" in told(refusal(lambda: asyncio.run(enforced("hi"))))["reason"]


def test_functions_that_hang_are_bounded() -> None:
    """When every thread is taken by a function that hangs, further calls are refused, not queued for ever."""
    bench = LibraryBench(clock=SystemClock(), functions=Runners("function", 2))
    release, ran = threading.Event(), []
    for _ in range(2):
        # Long enough to be begun on a busy machine: what is not leaves its thread free.
        refusal(plain(bench, lambda _: release.wait(20), timeout_s=0.5))
    error = refusal(plain(bench, ran.append, timeout_s=0.05))
    assert told(error)["parent"] is not None
    release.set()
    assert plain(bench, echo)()["text"] == "hello"
    assert ran == []


@both
def test_the_refusal_of_an_inner_call_is_the_outer_ones_cause(wrap: Wrap) -> None:
    """Both are on record: the veto of the call inside, and pillar 114 for the function that let it pass."""
    bench, inside = LibraryBench(), LibraryBench(VETO)
    error = refusal(wrap(bench, plain(inside, echo)))
    assert told(error)["matched_pillar"] == "114"
    assert told(error)["reason"] == "the function raised FailClosedError"
    assert isinstance(error.__cause__, FailClosedError)
    assert told(error.__cause__)["matched_pillar"] == "128"
    assert (bench.journal.kinds, inside.journal.kinds) == (
        [("allow", None), ("fail_closed", "114")],
        [("block", "128")],
    )


def test_no_more_threads_is_pillar_114() -> None:
    """A system that gives no further thread: refused with both certificates, and nothing ran."""

    class NoThreads(Runners):
        def submit(self, function: Any, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("can't start new thread")

    bench, ran = LibraryBench(functions=NoThreads("function")), []
    error = refusal(plain(bench, ran.append))
    assert (told(error)["matched_pillar"], type(error.__cause__)) == ("114", RuntimeError)
    assert told(error)["parent"] == bench.journal.certificates[0].certificate_id
    assert ran == []


def test_a_caller_that_is_interrupted_while_a_thread_starts_takes_the_allow_back() -> None:
    """Whether the function has begun by then nobody knows: the record says that nobody got a result."""

    class Interrupted(Runners):
        def submit(self, function: Any, *args: Any, **kwargs: Any) -> Any:
            raise KeyboardInterrupt

    bench = LibraryBench(functions=Interrupted("function"))
    with pytest.raises(KeyboardInterrupt):
        plain(bench, echo)()
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]
    assert bench.journal.certificates[1].draft.reason == "whoever called was interrupted"


def test_an_interrupted_caller_takes_the_allow_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the function runs: whoever called is gone at once, and the record says that nobody got a result."""
    bench, began, release = LibraryBench(), threading.Event(), threading.Event()
    waits = BlockingWait.settled

    async def settled(self: BlockingWait, future: Any, seconds: float) -> bool:
        if future.done() or not bench.journal.certificates:
            return await waits(self, future, seconds)
        assert began.wait(20)
        raise KeyboardInterrupt

    def hangs(_: str) -> None:
        began.set()
        release.wait(20)

    monkeypatch.setattr(BlockingWait, "settled", settled)
    with pytest.raises(KeyboardInterrupt):
        plain(bench, hangs)()
    release.set()
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]
    assert bench.journal.certificates[1].draft.reason == "whoever called was interrupted"


def test_a_coroutine_is_cancelled_at_its_deadline() -> None:
    """It is told to end, as by asyncio.timeout, and what it says while it ends is nobody's."""
    bench, events = LibraryBench(clock=SystemClock()), []

    async def function() -> None:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise ValueError from None

    async def main() -> None:
        with pytest.raises(FailClosedError, match="did not finish within"):
            await bench.enforce(timeout_s=0.05)(function)()
        while not events:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 10))
    assert events == ["cancelled"]


def test_a_cancelled_caller_cancels_the_function_and_is_on_record() -> None:
    """asyncio cancellation works as without the wrapper: the function cleans up, and the allow is taken back."""
    bench, events = LibraryBench(), []

    async def function() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(0.01)
            events.append("cleaned up")

    async def main() -> None:
        task = asyncio.ensure_future(bench.enforce()(function)())
        while not bench.journal.certificates:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        events.append("gone")

    asyncio.run(main())
    assert events == ["cleaned up", "gone"]
    assert bench.journal.kinds == [("allow", None), ("fail_closed", "114")]
    assert bench.journal.certificates[1].draft.reason == "the calling task was cancelled"


def test_a_caller_that_is_cancelled_while_judging_never_runs() -> None:
    """Cancelling while the judge thinks leaves nothing behind: no call, no complaint."""
    bench, release, ran = LibraryBench(clock=SystemClock()), threading.Event(), []
    bench.governor.before = lambda: release.wait(20)

    async def function() -> None:
        ran.append("ran")

    async def main() -> None:
        task = asyncio.ensure_future(bench.enforce()(function)())
        while not bench.governor.asked:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert ran == []


def test_judging_does_not_stop_the_event_loop() -> None:
    """While one call is judged, other tasks go on."""
    bench, release, turns = LibraryBench(clock=SystemClock()), threading.Event(), []
    bench.governor.before = lambda: release.wait(20)

    async def function() -> None:
        pass

    async def other() -> None:
        while not bench.governor.asked:
            await asyncio.sleep(0.001)
        turns.append("ran while judging")
        release.set()

    async def main() -> None:
        await asyncio.gather(bench.enforce(timeout_s=20)(function)(), other())

    asyncio.run(main())
    assert turns == ["ran while judging"]
