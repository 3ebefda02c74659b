"""What every failure becomes (law 4). The only place that may catch everything while judging.

=====================================  ==========================================================
failure                                becomes
=====================================  ==========================================================
body over EVE_PROXY_MAX_BODY           BLOCK, rule ``body_limit``, 413
body cannot be decoded                 BLOCK, rule ``content_encoding``
deadline, governor, pre-filter, defect FAIL_CLOSED, pillar 114; FAIL_OPEN with EVE_PROXY_FAIL_CLOSED=0
=====================================  ==========================================================

Refusals and bounds are never a "failure of judging": EVE_PROXY_FAIL_CLOSED=0 does not open them.
"""

from __future__ import annotations

from eve_proxy.model.errors import BodyTooLarge, DeadlineExceeded, JudgingFailed
from eve_proxy.model.verdict import FAIL_SHUT_PILLAR, Outcome, Verdict, refuse
from eve_proxy.policy.content import NotInspectable

BODY_TOO_LARGE = "body too large for inspection"


def verdict_of(error: BaseException, *, fail_open: bool) -> Verdict:
    """The verdict that takes the place of the one that judging did not produce.

    :param fail_open: EVE_PROXY_FAIL_CLOSED=0.
    """
    if isinstance(error, BodyTooLarge):
        return refuse("body_limit", BODY_TOO_LARGE, status=413)
    if isinstance(error, NotInspectable):
        return refuse("content_encoding", "body not inspectable")
    return failure(_reason(error), fail_open=fail_open)


def failure(reason: str, *, fail_open: bool = False) -> Verdict:
    """A failure of judging, of signing or of the journal; only the first may ever be opened."""
    outcome = Outcome.FAIL_OPEN if fail_open else Outcome.FAIL_CLOSED
    return Verdict(outcome=outcome, reason=reason, pillar=FAIL_SHUT_PILLAR)


def _reason(error: BaseException) -> str:
    if isinstance(error, DeadlineExceeded):
        return str(error) or "enforcement deadline exceeded"
    if isinstance(error, JudgingFailed):
        return str(error)
    # The text of a foreign exception may hold request content or credentials: only its type is told.
    return f"judging failed: {type(error).__name__}"
