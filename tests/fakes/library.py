"""An enforced function without an environment: fake judge and journal, real threads, a clock that obeys the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eve_proxy.audit.blocking import Entry
from eve_proxy.audit.process_journal import ProcessJournal
from eve_proxy.enforcement.library.decorator import enforced
from eve_proxy.enforcement.library.errors import FailClosedError
from eve_proxy.enforcement.library.parts import Parts
from eve_proxy.enforcement.library.runners import Runners
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.policy.prefilters import BodyLimit
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from tests.fakes.ports import SECRET, FakeClock, FakeEntropy, FakeGovernor

ALLOW = Verdict(outcome=Outcome.ALLOW, reason="allowed", governor="fake.governor")
VETO = Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128", vector="706", governor="fake.governor")


class FakeJournal:
    """Durable at once, when ``held`` is let go, or never.

    :ivar before: called when a record is submitted.
    """

    timeout = 5.0

    def __init__(self) -> None:
        self.signer = HmacSigner(SECRET)
        self.certificates: list[DecisionCertificate] = []
        self.failure: Exception | None = None
        self.before: Callable[[Draft], object] = lambda _: None
        self.held = False
        self.given_up: list[Entry] = []

    def submit(self, draft: Draft) -> Entry:
        self.before(draft)
        if self.failure is not None:
            raise self.failure
        prev = self.certificates[-1].content_hash if self.certificates else GENESIS
        link = LogLink(id="log_0123456789abcdef", seq=len(self.certificates), prev=prev)
        entry = Entry(seal(draft, link, self.signer), 0.0)
        self.certificates.append(entry.certificate)
        if not self.held:
            entry.future.set_result(entry.certificate)
        return entry

    def give_up(self, entry: Entry) -> JournalUnavailable | None:
        self.given_up.append(entry)
        return None if entry.future.done() else JournalUnavailable("slow disk")

    @property
    def kinds(self) -> list[tuple[str | None, str | None]]:
        """Verdict and pillar of each record."""
        return [(each.draft.verdict, each.draft.matched_pillar) for each in self.certificates]


class LibraryBench:
    """``Parts`` in the hands of a test; also their ``Provider``."""

    def __init__(self, answer: Any = ALLOW, *, clock: Any = None, journal: Any = None, **options: Any) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.journal = FakeJournal() if journal is None else journal
        self.governor = FakeGovernor(answer)
        self.budgets: list[float] = []
        self.everything = Parts(
            governor=self._within,
            journal=self.journal,
            clock=self.clock,
            entropy=FakeEntropy(),
            org_id="acme",
            max_body=10_000,
            body_filters=(BodyLimit(most=10_000),),
            **{"judges": Runners("judge", 8), "functions": Runners("function", 8), **options},
        )

    def _within(self, seconds: float) -> FakeGovernor:
        self.budgets.append(seconds)
        return self.governor

    def ready(self) -> Parts | None:
        return self.everything

    def parts(self) -> Parts:
        return self.everything

    def close(self) -> None:
        raise AssertionError("nobody closes a bench")

    def enforce(self, **terms: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """``@enforce`` on this bench."""
        settings = {
            "caller": "svc.call", "org_id": None, "timeout_s": 2.0, "run_fmi": True, "fmi_input": None, **terms,
        }  # fmt: skip
        return enforced(lambda: self, **settings)

    @property
    def judged(self) -> list[bytes]:
        """The documents that the governor saw."""
        return [b"" if each.body is None else each.body.content for each in self.governor.asked]


def refusal(function: Callable[..., Any], *args: Any, **kwargs: Any) -> FailClosedError:
    """The error of a call that must be refused."""
    try:
        result = function(*args, **kwargs)
    except FailClosedError as error:
        return error
    raise AssertionError(f"it was not refused: {result!r}")


def told(error: FailClosedError) -> dict[str, Any]:
    """The certificate in the error."""
    assert error.certificate is not None
    return error.certificate.to_dict()


def process_journal(folder: Any, **options: Any) -> ProcessJournal:
    """A real journal in ``folder``."""
    settings: dict[str, Any] = {
        "signer": HmacSigner(SECRET), "org_id": "acme", "clock": FakeClock(), "entropy": FakeEntropy(), **options,
    }  # fmt: skip
    return ProcessJournal(folder / "events.jsonl", **settings)
