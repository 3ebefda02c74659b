"""What one check found, and what all of them together come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

WELL: Final = 0
BROKEN: Final = 1
DOUBTFUL: Final = 3


class Result(Enum):
    """``SKIP`` cannot be told from here, ``INFO`` is open as documented: neither counts."""

    OK = "ok"
    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the table.

    :ivar check: a stable name: lower-case letters, digits and hyphens, at most 24 (``model/posture.py``).
    :ivar meaning: what was seen, and what that means.
    :ivar advice: what to do about it; None where there is nothing to do.
    :ivar accepted: the operator knows (``--accept``): it is shown and does not count.
    """

    check: str
    result: Result
    meaning: str
    advice: str | None = None
    accepted: bool = False

    @property
    def counted(self) -> str:
        """The result as a report names it, such as ``fail-accepted``."""
        return f"{self.result.value}-accepted" if self.accepted else self.result.value


def ok(check: str, meaning: str) -> Finding:
    """As it should be."""
    return Finding(check=check, result=Result.OK, meaning=meaning)


def fail(check: str, meaning: str, advice: str) -> Finding:
    """A way around is open, or a way in is broken."""
    return Finding(check=check, result=Result.FAIL, meaning=meaning, advice=advice)


def warn(check: str, meaning: str, advice: str) -> Finding:
    """It cannot be vouched for."""
    return Finding(check=check, result=Result.WARN, meaning=meaning, advice=advice)


def skip(check: str, meaning: str) -> Finding:
    """It cannot be told from here."""
    return Finding(check=check, result=Result.SKIP, meaning=meaning)


def info(check: str, meaning: str) -> Finding:
    """Worth knowing, and no fault: documented as not stopped."""
    return Finding(check=check, result=Result.INFO, meaning=meaning)


def accepting(findings: Iterable[Finding], accepted: frozenset[str]) -> list[Finding]:
    """The same, with those that the operator knows of marked."""
    counts = (Result.FAIL, Result.WARN)
    return [
        replace(each, accepted=True) if each.check in accepted and each.result in counts else each for each in findings
    ]


def exit_status(findings: Sequence[Finding]) -> int:
    """``WELL``, ``BROKEN`` or ``DOUBTFUL``: the worst that counts."""
    counted = {each.result for each in findings if not each.accepted}
    return BROKEN if Result.FAIL in counted else DOUBTFUL if Result.WARN in counted else WELL
