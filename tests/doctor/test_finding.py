"""What findings come to."""

from __future__ import annotations

import pytest

from eve_proxy.doctor.finding import Finding, accepting, exit_status, fail, info, ok, skip, warn

FAIL, WARN = fail("b", "seen", "do"), warn("c", "seen", "do")


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([ok("a", "x"), skip("d", "x"), info("e", "x")], 0),
        ([ok("a", "x"), WARN], 3),
        ([WARN, FAIL, ok("a", "x")], 1),
        ([], 0),
    ],
)
def test_the_worst_counts(findings: list[Finding], status: int) -> None:
    """0, 1 or 3; what cannot be told, and what is documented as open, do not count."""
    assert exit_status(findings) == status


def test_what_the_operator_knows_does_not_count() -> None:
    """It is still there, with its result, and a report says that it was accepted."""
    found = accepting([ok("a", "x"), FAIL, WARN], frozenset(("a", "b")))
    assert [each.counted for each in found] == ["ok", "fail-accepted", "warn"]
    assert exit_status(found) == 3
    assert exit_status(accepting(found, frozenset("c"))) == 0
