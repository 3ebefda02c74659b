"""What ``eve-proxy doctor`` found, as it is reported to the daemon: a bounded list of names and results, no free text.

Whoever reports may lie; but what is reported goes into a signed record, so that nothing but these shapes may get in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

POSTURE: Final = "posture"
SCHEMA: Final = "eve.posture/1"
# With names of this length the certificate stays within 4,096 bytes.
MOST_CHECKS: Final = 48
CHECK_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,23}")
FAILED: Final = "fail"
DOUBTFUL: Final = "warn"
# ``-accepted``: the operator knows (``--accept``), and it does not count.
RESULTS: Final = frozenset(("ok", FAILED, DOUBTFUL, "skip", "info", "fail-accepted", "warn-accepted"))
_TIME: Final = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}Z")


class NotAPosture(ValueError):
    """A document that is no report of this schema. The message says which rule it breaks and never quotes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """One run of the doctor.

    :ivar at: when, on the reporter's clock: UTC with milliseconds and ``Z``.
    :ivar results: check to result, one of ``RESULTS``.
    """

    at: str
    results: dict[str, str]

    @property
    def exit(self) -> int:
        """0: all is well; 1: something failed; 3: nothing failed, and something cannot be vouched for."""
        found = self.results.values()
        return 1 if FAILED in found else 3 if DOUBTFUL in found else 0

    def to_document(self) -> dict[str, Any]:
        """The JSON object that ``from_document`` reads."""
        return {"schema": SCHEMA, "at": self.at, "results": self.results}

    @classmethod
    def from_document(cls, value: Any) -> Posture:
        """Read a report.

        :param value: decoded JSON, whatever it is.
        :raises NotAPosture: a field is missing, unknown, of the wrong type or out of bounds.
        """
        if not isinstance(value, dict) or set(value) != {"schema", "at", "results"} or value["schema"] != SCHEMA:
            raise NotAPosture(
                f'not a report: an object {{"schema": "{SCHEMA}", "at": ..., "results": ...}} is expected'
            )
        at, results = value["at"], value["results"]
        if not isinstance(at, str) or _TIME.fullmatch(at) is None:
            raise NotAPosture("at: UTC with milliseconds is expected, such as 2026-04-16T14:22:03.847Z")
        if not isinstance(results, dict) or not 0 < len(results) <= MOST_CHECKS:
            raise NotAPosture(f"results: an object with 1 to {MOST_CHECKS} checks is expected")
        for name, result in results.items():
            if CHECK_NAME.fullmatch(name) is None:
                raise NotAPosture("results: a name of a check is lower-case letters, digits and hyphens, at most 24")
            if not isinstance(result, str) or result not in RESULTS:
                raise NotAPosture(f"results: a result is one of {', '.join(sorted(RESULTS))}")
        return cls(at=at, results=results)
