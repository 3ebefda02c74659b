"""An answer to the one question: may this leave?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from eve_proxy.model.lean import lean

FAIL_SHUT_PILLAR: Final = "114"
LOCAL: Final = "local"


class Outcome(Enum):
    """The value is the certificate's ``verdict``."""

    ALLOW = "allow"
    BLOCK = "block"
    FAIL_CLOSED = "fail_closed"
    FAIL_OPEN = "fail_open"

    # Members are compared by identity, so they may be hashed by it: enum's own hash is a Python function.
    __hash__ = object.__hash__


# The one place that says which outcomes open the gate. Never truthiness, never "not BLOCK".
PERMITS: Final[dict[Outcome, bool]] = {
    Outcome.ALLOW: True,
    Outcome.BLOCK: False,
    Outcome.FAIL_CLOSED: False,
    Outcome.FAIL_OPEN: True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Which policy decided: its name, and the SHA-256 (hex) of its text, None when it is not ours to see."""

    set: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Modification:
    """An obligation: replace the body or one header before sending (governance-api.md, ``MODIFIED``).

    :ivar field: ``body`` or ``headers.<name>``.
    """

    field: str
    value: str


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A decision service's signature over its answer, the request and a head of our journal (evidence.md).

    :ivar seq: of that head: the number of the record that was to come.
    :ivar prev: and the hash of the record before it.
    :ivar key_id: of the service's key.
    :ivar signature: with its tag, as in a certificate.
    """

    seq: int
    prev: str
    key_id: str
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, keys in table order."""
        return {"seq": self.seq, "prev": self.prev, "key_id": self.key_id, "signature": self.signature}


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judge's answer.

    :ivar governor: ``local`` (a pre-filter or ourselves), ``embedded``, or the decision service's host.
    :ivar decision_ref: the service's audit id, or None.
    :ivar witness: what the service signed of its answer, or None.
    :ivar obligations: what must be done before sending; not understood means no permit.
    :ivar status: the HTTP status of a refusal that is not the usual 451: 403 (client), 413 (body), 429, 503.
    """

    outcome: Outcome
    reason: str
    pillar: str | None = None
    vector: str | None = None
    governor: str = LOCAL
    policy: PolicyRef | None = None
    decision_ref: str | None = None
    witness: Witness | None = None
    obligations: tuple[Modification, ...] = ()
    status: int | None = None


def refuse(rule: str, reason: str, *, status: int | None = None) -> Verdict:
    """A local policy refusal by ``rule`` (pillar ``local``, the rule's name as vector)."""
    return Verdict(outcome=Outcome.BLOCK, reason=reason, pillar=LOCAL, vector=rule, status=status)
