"""What a decision service signs when it witnesses: its answer, the request and the head of our journal."""

from __future__ import annotations

from typing import Any, Final

import orjson

# The statuses of an answer that can stand behind a verdict. A modification is an allow where it was carried out, and a
# block where it was not.
STATUSES: Final = {"allow": ("ALLOWED", "MODIFIED"), "block": ("BLOCKED", "MODIFIED")}
# The member of a witness's own records that says what it was asked and answered.
QUESTION: Final = "question"


def statement(request_id: str, request: dict[str, Any] | None, status: str, log: dict[str, Any]) -> str:
    """The text that is signed, as UTF-8: the JCS of ``{request_id, request, status, log}``.

    :param request: the certificate's ``request``.
    :param status: the answer's ``decision.status``.
    :param log: ``id``, ``seq`` and ``prev``: the head of the journal when the question was asked.
    :raises TypeError: a text with lone surrogates.
    """
    members = {"request_id": request_id, "request": request, "status": status, "log": log}
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS).decode()


def claims(fields: dict[str, Any]) -> tuple[str, ...]:
    """What the witness must have signed for a certificate with a witness; one text for each possible status."""
    witness, log = fields["witness"], fields["log"]
    head = {"id": log["id"], "seq": witness["seq"], "prev": witness["prev"]}
    statuses = STATUSES.get(fields["verdict"], ())
    return tuple(statement(fields["certificate_id"], fields["request"], status, head) for status in statuses)
