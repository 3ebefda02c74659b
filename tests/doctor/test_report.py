"""What people and machines read."""

from __future__ import annotations

import pytest

from eve_proxy.doctor.finding import accepting, fail, info, ok, skip, warn
from eve_proxy.doctor.report import document, posture_of, table, timestamp
from eve_proxy.model.posture import Posture
from tests.doctor.bench import WALL

GROUPS = [
    ("ways around", [fail("tcp-80-v4", "is reached", "load rules"), fail("tcp-443-v4", "is reached", "load rules")]),
    (
        "ways in",
        [ok("healthz", "it serves"), skip("clock", "no"), info("dns-outside", "open"), warn("x", "y", "do")],
    ),
]


def test_table() -> None:
    """Check, result and meaning; each advice once, for all that it helps; what it comes to, and what it cannot say."""
    shown = table(GROUPS)
    assert "  tcp-80-v4          FAIL   is reached\n" in shown
    assert "  healthz            ok     it serves\n" in shown
    assert "what to do\n  tcp-80-v4, tcp-443-v4:\n      load rules\n  x:\n      do\n" in shown
    assert "A way around is open" in shown
    assert "look alike" in shown
    assert all(len(line) <= 118 for line in shown.splitlines())


def test_a_table_without_anything_to_do() -> None:
    """Well, and what the operator accepted is in brackets and no longer in the list."""
    known = [(name, accepting(found, frozenset(["tcp-80-v4", "tcp-443-v4", "x"]))) for name, found in GROUPS]
    shown = table(known)
    assert "what to do" not in shown
    assert "  tcp-80-v4          (FAIL) is reached\n" in shown
    assert "Nothing that was tried goes around" in shown


def test_document() -> None:
    """The keys of docs/doctor.md, in its order."""
    told = document(GROUPS, wall=WALL, proxy="http://127.0.0.1:3128")
    assert list(told) == ["schema", "at", "exit", "proxy", "checks", "record"]
    assert (told["schema"], told["at"], told["exit"], told["record"]) == (
        "eve.doctor/1", "2026-04-16T14:02:23.847Z", 1, None
    )  # fmt: skip
    assert told["checks"][0] == {
        "check": "tcp-80-v4",
        "group": "ways around",
        "result": "fail",
        "accepted": False,
        "meaning": "is reached",
        "advice": "load rules",
    }
    assert [each["check"] for each in told["checks"]] == [
        "tcp-80-v4", "tcp-443-v4", "healthz", "clock", "dns-outside", "x"
    ]  # fmt: skip


def test_report() -> None:
    """Names and results only: what the daemon takes."""
    posture = posture_of(GROUPS, WALL)
    assert Posture.from_document(posture.to_document()) == posture
    assert (posture.exit, posture.results["dns-outside"]) == (1, "info")


@pytest.mark.parametrize(("wall", "text"), [(0, "1970-01-01T00:00:00.000Z"), (WALL, "2026-04-16T14:02:23.847Z")])
def test_timestamp(wall: float, text: str) -> None:
    """As in a certificate."""
    assert timestamp(wall) == text
