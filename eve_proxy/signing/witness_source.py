"""A journal against the journal of its witness: which of the two parties dropped or rewrote what (evidence.md).

The witness signed each answer over the request, its own status and the head of our journal; the certificate carries
that signature. So what either party changes afterwards, the other one's journal contradicts:

- a head that the witness was shown and the journal does not have: the journal was rewritten, or cut;
- a certificate whose answer reads otherwise in the two journals: its signature tells who changed it;
- a certificate with a good signature that the witness has no record of: the witness dropped it;
- an answer without a certificate: the proxy dropped it, unless its journal says that it could not write just then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from eve_proxy.signing.outside import CUT, REWRITTEN, Vouched
from eve_proxy.signing.spelling import Unacceptable
from eve_proxy.signing.verification import Key
from eve_proxy.signing.witness import STATUSES, claims
from eve_proxy.signing.witness_log import Answer, WitnessLog, digest

DROPPED: Final = "dropped"
WITNESS_DROPPED: Final = "witness-dropped"
WITNESS_REWROTE: Final = "witness-rewrote"
# Seconds from a question to its record at most: EVE_PROXY_ENFORCE_TIMEOUT and EVE_PROXY_AUDIT_TIMEOUT end at 60 each.
_LATEST: Final = 150.0
_LOCAL: Final = ("local", "embedded")


class WitnessSource:
    """One journal's comparison (``Outside``).

    :param witness: the witness's journal; several journals may be compared with it, one after the other.
    :param keys: the witness's.
    """

    def __init__(self, witness: WitnessLog, keys: Sequence[Key]) -> None:
        self._witness = witness
        self._keys = {key.key_id: key for key in keys}
        self._log_id = ""
        self._prev = ""
        self._seq = 0
        self._last_kind = ""
        self._last_time = ""
        self._own = False  # the witness signs with a key of this journal
        self._witnessed = 0
        self._later = 0  # decisions that an older copy of the witness's journal cannot have
        self._alone = 0  # decisions of a service without a witness's signature
        self._gaps: list[
            tuple[int, str]
        ] = []  # where the journal could not be written: a record's number, and until when

    def take(self, line: bytes, fields: dict[str, Any]) -> None:
        """See ``Outside``."""
        log, kind = fields["log"], fields["kind"]
        if not self._log_id:
            self._log_id, self._prev = log["id"], log["prev"]
        self._own = self._own or fields["key_id"] in self._witness.key_ids
        if self._check_heads(log["seq"], log["prev"]):
            self._witness.reached(self._log_id, log["seq"], fields["timestamp"])
        if kind in ("recovered", "void") or (kind == "session_open" and self._last_kind not in ("", "session_close")):
            self._gaps.append((log["seq"], self._last_time))
        if kind == "decision":
            self._compare(fields)
        self._last_kind, self._last_time = kind, fields["timestamp"]
        self._seq, self._prev = log["seq"] + 1, fields["content_hash"]

    def conclude(self, records: int, *, closed: bool) -> Vouched:
        """See ``Outside``."""
        witness, log_id = self._witness, self._log_id
        beyond = witness.beyond(log_id, self._seq)
        if beyond is not None:
            raise Unacceptable(
                CUT,
                f"the witness was shown {beyond.seq} records (its line {beyond.line}), the journal has {self._seq}: its"
                " end was cut off, or it was copied before the witness's",
            )
        self._check_heads(self._seq, self._prev)
        if not closed:
            self._gaps.append((self._seq, self._last_time))
        unrecorded = 0
        for answer in witness.unmatched(log_id):
            if not self._accounted_for(answer):
                raise Unacceptable(
                    DROPPED,
                    f"the witness answered {answer.request_id} (its line {answer.line}), and no record says what became"
                    " of it",
                )
            unrecorded += 1
        return self._vouched(records, unrecorded, closed=closed)

    def _check_heads(self, seq: int, prev: str) -> bool:
        """Whether the witness was shown this place; it must have been shown what stands before it."""
        shown = self._witness.shown(self._log_id, seq)
        for answer in shown:
            if answer.prev != prev:
                raise Unacceptable(
                    REWRITTEN, f"record {seq - 1} is not the one that the witness was shown (its line {answer.line})"
                )
        return bool(shown)

    def _compare(self, fields: dict[str, Any]) -> None:
        answers = self._witness.about(self._log_id, fields["certificate_id"])
        for answer in answers:
            self._witness.match(answer)
        signed = fields["witness"]
        if signed is None:
            self._compare_unsigned(fields, answers)
            return
        name = fields["certificate_id"]
        texts = claims(fields)
        said = {digest(text) for text in texts}
        same = [answer for answer in answers if answer.said in said]
        if same and any(answer.signature == signed["signature"] for answer in same):
            self._witnessed += 1
            return
        key = self._keys.get(signed["key_id"])
        if key is None or not any(key.verify(text, signed["signature"]) for text in texts):
            raise Unacceptable(REWRITTEN, f"{name} carries a signature that the witness did not make over it")
        if same:
            self._witnessed += 1  # ECDSA: two signatures over one text
            return
        if answers:
            raise Unacceptable(
                WITNESS_REWROTE, f"the witness's record of {name} (its line {answers[0].line}) is not what it signed"
            )
        if self._witness.may_be_older(self._log_id, signed["seq"]):
            self._later += 1
            return
        raise Unacceptable(WITNESS_DROPPED, f"the witness signed {name}, and has no record of it")

    def _compare_unsigned(self, fields: dict[str, Any], answers: list[Answer]) -> None:
        if fields["verdict"] not in STATUSES or fields["governor"] in _LOCAL:
            # A refusal of our own, or an answer that came too late: what the service said was not used. But an allow
            # that the service did not give is nobody's to give.
            if answers and fields["verdict"] == "allow":
                raise Unacceptable(REWRITTEN, f"the witness decided {fields['certificate_id']}, which says otherwise")
            return
        if answers:
            raise Unacceptable(REWRITTEN, f"{fields['certificate_id']} lacks the signature that the witness gave it")
        self._alone += 1

    def _accounted_for(self, answer: Answer) -> bool:
        """Whether the journal says that it could not be written when the record was due."""
        for seq, until in self._gaps:
            if seq >= answer.seq and (answer.asked_by is None or _seconds(answer.asked_by, until) <= _LATEST):
                return True
        return False

    def _vouched(self, records: int, unrecorded: int, *, closed: bool) -> Vouched:
        bound = self._witness.furthest(self._log_id)
        if bound is None:
            return Vouched(external=True, whole=False, note="witness: it was never shown this journal")
        if self._own:
            return Vouched(
                external=False, whole=False, note="witness: it signs with this journal's key, and proves nothing"
            )
        remarks = (
            (
                unrecorded,
                f"{unrecorded} of its answers have no record where the journal says that none could be written",
            ),
            (self._later, f"{self._later} decisions are later than its copy"),
            (self._alone, f"{self._alone} decisions of a service bear no witness's signature"),
            (not self._witness.closed, "its own journal does not end with session_close"),
        )
        note = f"witness: {self._witnessed} decisions agree; it was shown the first {bound} of {records} records"
        whole = closed and not any(applies for applies, _ in remarks)
        return Vouched(
            external=True, whole=whole, note="; ".join([note, *[text for applies, text in remarks if applies]])
        )


def _seconds(earlier: str, later: str) -> float:
    """From one timestamp to another; endless when they cannot be read."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except ValueError:
        return float("inf")
