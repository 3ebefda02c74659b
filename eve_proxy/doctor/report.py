"""The answer: a table for people, a document for machines (docs/doctor.md), a report for the journal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eve_proxy.doctor.finding import BROKEN, DOUBTFUL, WELL, Finding, Result, exit_status
from eve_proxy.model.posture import Posture

SCHEMA: Final = "eve.doctor/1"
_SIGNS: Final = {
    Result.OK: "ok", Result.FAIL: "FAIL", Result.WARN: "warn", Result.SKIP: "skip", Result.INFO: "info",
}  # fmt: skip
_CLOSING: Final = {
    WELL: "Nothing that was tried goes around the proxy, and the ways into it work.",
    BROKEN: "A way around is open, or a way in is broken.",
    DOUBTFUL: "Nothing is known to be wrong, and not everything can be vouched for.",
}
_LIMITS: Final = (
    "Only what was tried is known, and only from where it was tried. An address that is closed and one where nobody is "
    "look alike. What skip says cannot be told from here."
)
_CHECK: Final = 18
_WIDTH: Final = 118

Groups = Sequence[tuple[str, Sequence[Finding]]]


def all_of(groups: Groups) -> list[Finding]:
    """Every finding, in the order of the table."""
    return [each for _, findings in groups for each in findings]


def posture_of(groups: Groups, wall: float) -> Posture:
    """What is reported to the daemon.

    :param wall: seconds since the epoch.
    """
    return Posture(at=timestamp(wall), results={each.check: each.counted for each in all_of(groups)})


def document(groups: Groups, *, wall: float, proxy: str) -> dict[str, Any]:
    """``--json``; ``record`` is for the caller to fill in."""
    return {
        "schema": SCHEMA,
        "at": timestamp(wall),
        "exit": exit_status(all_of(groups)),
        "proxy": proxy,
        "checks": [
            {
                "check": each.check,
                "group": group,
                "result": each.result.value,
                "accepted": each.accepted,
                "meaning": each.meaning,
                "advice": each.advice,
            }
            for group, findings in groups
            for each in findings
        ],
        "record": None,
    }


def table(groups: Groups) -> str:
    """For people: what was found, what to do, and what it comes to."""
    lines: list[str] = []
    for group, findings in groups:
        lines += [group, *(line for each in findings for line in _row(each)), ""]
    todo: dict[str, list[str]] = {}
    for each in all_of(groups):
        if each.advice is not None and not each.accepted:
            todo.setdefault(each.advice, []).append(each.check)
    if todo:
        lines.append("what to do")
        for advice, names in todo.items():
            lines += [*_wrapped("  ", f"{', '.join(names)}:"), *_wrapped("      ", advice)]
        lines.append("")
    closing = f"{_CLOSING[exit_status(all_of(groups))]} {_LIMITS}"
    return "\n".join([*lines, *textwrap.wrap(closing, _WIDTH), ""])


def timestamp(wall: float) -> str:
    """UTC with milliseconds and ``Z``."""
    milliseconds = int(wall * 1000)
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def _row(finding: Finding) -> list[str]:
    sign = f"({_SIGNS[finding.result]})" if finding.accepted else _SIGNS[finding.result]
    return _wrapped(f"  {finding.check:<{_CHECK}} {sign:<6} ", finding.meaning)


def _wrapped(first: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False)
