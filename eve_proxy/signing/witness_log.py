"""The journal of a witness, indexed on disk: what it was asked, what it answered, which heads of ours it was shown.

Millions of records in constant memory: the index is a temporary SQLite file that vanishes with the connection.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from eve_proxy.signing.witness import QUESTION, statement

_SCHEMA: Final = """
CREATE TABLE answer (
    line INTEGER PRIMARY KEY, request TEXT, log TEXT, seq INTEGER, prev TEXT, said BLOB, signature TEXT,
    asked_by TEXT, matched INTEGER DEFAULT 0
)
"""
_AFTERWARDS: Final = ("CREATE INDEX by_request ON answer (log, request)", "CREATE INDEX by_head ON answer (log, seq)")
_BATCH: Final = 10_000
# More questions than are asked at once (EVE_PROXY_GOVERNANCE_CONCURRENCY).
_TOGETHER: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One record of the witness.

    :ivar line: where it stands in the witness's journal, from 1.
    :ivar request_id: the certificate that its answer became part of.
    :ivar seq: the head that it was shown: the number of the record that was to come.
    :ivar prev: and the hash of the record before that.
    :ivar said: SHA-256 of what it signed.
    :ivar asked_by: the timestamp of the record that took the place of that head; None when there is none.
    """

    line: int
    request_id: str
    seq: int
    prev: str
    said: bytes
    signature: str
    asked_by: str | None = None


class WitnessLog:
    """Filled once, then asked."""

    def __init__(self) -> None:
        self._base = sqlite3.Connection("", isolation_level=None)  # an unnamed file, removed by the system
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute(_SCHEMA)
        self._waiting: list[tuple[Any, ...]] = []
        self._line = 0
        self.closed = False
        self.key_ids: set[str] = set()

    def take(self, fields: dict[str, Any]) -> None:
        """One more record of the witness's journal, which has been verified."""
        self._line += 1
        self.closed = fields["kind"] == "session_close"
        self.key_ids.add(fields["key_id"])
        said = _question(fields)
        if said is not None:
            self._waiting.append((self._line, *said))
            if len(self._waiting) >= _BATCH:
                self._write()

    def ready(self) -> None:
        """All lines were taken."""
        self._write()
        for index in _AFTERWARDS:
            self._base.execute(index)
        self._base.execute("BEGIN")

    def close(self) -> None:
        """Give the index's disk space back."""
        self._base.close()

    def _write(self) -> None:
        rows, self._waiting = self._waiting, []
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT INTO answer (line, request, log, seq, prev, said, signature) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
        )
        self._base.execute("COMMIT")

    def shown(self, log_id: str, seq: int) -> list[Answer]:
        """The answers to questions that showed this head of the journal."""
        return self._answers("log = ? AND seq = ?", log_id, seq)

    def about(self, log_id: str, request_id: str) -> list[Answer]:
        """The answers about one certificate: one, unless somebody asked twice in its name."""
        return self._answers("log = ? AND request = ?", log_id, request_id)

    def match(self, answer: Answer) -> None:
        """Its certificate was found."""
        self._base.execute("UPDATE answer SET matched = 1 WHERE line = ?", (answer.line,))

    def reached(self, log_id: str, seq: int, timestamp: str) -> None:
        """The journal's record ``seq`` bears ``timestamp``: what was shown that place was asked before."""
        self._base.execute(
            "UPDATE answer SET asked_by = ? WHERE log = ? AND seq = ?",
            (timestamp, log_id, seq),
        )

    def unmatched(self, log_id: str) -> Iterator[Answer]:
        """The answers whose certificate was not found, in order."""
        last = 0
        while found := self._answers("log = ? AND matched = 0 AND line > ? ORDER BY line LIMIT 1000", log_id, last):
            yield from found
            last = found[-1].line

    def beyond(self, log_id: str, seq: int) -> Answer | None:
        """An answer whose question showed a head that the journal does not reach; the furthest one."""
        found = self._answers("log = ? AND seq > ? ORDER BY seq DESC LIMIT 1", log_id, seq)
        return found[0] if found else None

    def furthest(self, log_id: str) -> int | None:
        """How many records of the journal its heads bind; None when it was never asked for it."""
        found: tuple[int | None] = self._base.execute("SELECT max(seq) FROM answer WHERE log = ?", (log_id,)).fetchone()
        return found[0]

    def may_be_older(self, log_id: str, seq: int) -> bool:
        """Whether an answer that was shown ``seq`` may have come after this copy of the witness's journal was made.

        Answers are written as they are given, so that only questions asked together can change places.
        """
        return not self.closed and seq + _TOGETHER > (self.furthest(log_id) or 0)

    def _answers(self, condition: str, *values: object) -> list[Answer]:
        query = f"SELECT line, request, seq, prev, said, signature, asked_by FROM answer WHERE {condition}"  # noqa: S608
        return [
            Answer(line=line, request_id=request, seq=seq, prev=prev, said=said, signature=signature, asked_by=asked_by)
            for line, request, seq, prev, said, signature, asked_by in self._base.execute(query, values).fetchall()
        ]


def _question(fields: dict[str, Any]) -> tuple[str, str, int, str, bytes, str] | None:
    """The columns of a record that says what was asked; None for a record that does not, or showed no head."""
    question = (fields["record"] or {}).get(QUESTION)
    if fields["kind"] != "decision" or not isinstance(question, dict):
        return None
    log, signature = question.get("log"), question.get("signature")
    request_id, status = question.get("request_id"), question.get("status")
    if not isinstance(log, dict) or not all(isinstance(text, str) for text in (request_id, status, signature)):
        return None
    head = (log.get("id"), log.get("seq"), log.get("prev"))
    if tuple(map(type, head)) != (str, int, str):
        return None
    text = statement(request_id, fields["request"], status, {"id": head[0], "seq": head[1], "prev": head[2]})  # type: ignore[arg-type]
    return request_id, *head, digest(text), signature  # type: ignore[return-value]


def digest(text: str) -> bytes:
    """How a statement is compared."""
    return hashlib.sha256(text.encode()).digest()
