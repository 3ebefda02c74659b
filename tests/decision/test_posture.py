"""What each failure becomes (law 4)."""

from __future__ import annotations

import pytest

from eve_proxy.decision.posture import BODY_TOO_LARGE, failure, verdict_of
from eve_proxy.model.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    GovernorMisbehaved,
    GovernorUnavailable,
    JudgingFailed,
)
from eve_proxy.model.verdict import LOCAL, Outcome
from eve_proxy.policy.content import NotInspectable


@pytest.mark.parametrize("fail_open", [False, True])
def test_a_body_over_the_limit(fail_open: bool) -> None:
    """It is the guide's 413, whatever EVE_PROXY_FAIL_CLOSED says: a bound is no failure of judging."""
    verdict = verdict_of(BodyTooLarge("11 MiB"), fail_open=fail_open)
    assert (verdict.outcome, verdict.status, verdict.reason) == (Outcome.BLOCK, 413, "body too large for inspection")
    assert (verdict.pillar, verdict.vector) == (LOCAL, "body_limit")
    assert verdict.reason == BODY_TOO_LARGE


@pytest.mark.parametrize("fail_open", [False, True])
def test_a_body_that_cannot_be_decoded(fail_open: bool) -> None:
    """It is a veto, whatever EVE_PROXY_FAIL_CLOSED says: uninspected content does not leave."""
    verdict = verdict_of(NotInspectable("bad gzip: secret content"), fail_open=fail_open)
    assert (verdict.outcome, verdict.status, verdict.reason) == (Outcome.BLOCK, None, "body not inspectable")
    assert (verdict.pillar, verdict.vector) == (LOCAL, "content_encoding")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeadlineExceeded("enforcement deadline of 2 s exceeded"), "enforcement deadline of 2 s exceeded"),
        (DeadlineExceeded(), "enforcement deadline exceeded"),
        (GovernorUnavailable("connection refused"), "connection refused"),
        (GovernorMisbehaved("unknown status"), "unknown status"),
        (JudgingFailed("pre-filter acme failed: KeyError"), "pre-filter acme failed: KeyError"),
        (ZeroDivisionError("division by zero"), "judging failed: ZeroDivisionError"),
        (MemoryError(), "judging failed: MemoryError"),
        (TimeoutError("to governor.example"), "judging failed: TimeoutError"),
    ],
)
def test_a_failure_of_judging(error: Exception, reason: str) -> None:
    """It is FAIL_CLOSED of pillar 114 and says why; with EVE_PROXY_FAIL_CLOSED=0 it is FAIL_OPEN, never ALLOW."""
    closed, opened = verdict_of(error, fail_open=False), verdict_of(error, fail_open=True)
    assert (closed.outcome, opened.outcome) == (Outcome.FAIL_CLOSED, Outcome.FAIL_OPEN)
    for verdict in (closed, opened):
        assert (verdict.reason, verdict.pillar, verdict.vector, verdict.status) == (reason, "114", None, None)


def test_the_text_of_a_foreign_exception_is_not_told() -> None:
    """Whatever an unexpected exception quotes stays out of the certificate, which travels."""
    error = ValueError("could not parse 'Authorization: Bearer s3cret'")
    assert "s3cret" not in verdict_of(error, fail_open=False).reason


def test_failures_of_the_record_stay_closed() -> None:
    """Where nobody asks for it, a failure does not open."""
    assert failure("disk full").outcome is Outcome.FAIL_CLOSED
    assert failure("disk full", fail_open=True).outcome is Outcome.FAIL_OPEN
