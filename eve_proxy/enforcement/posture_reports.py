"""Entry point: ``POST /posture``, what ``eve-proxy doctor --record`` found, signed and written down (evidence.md).

The daemon attests that it received this report, from whom and when; not that it is true. For clients that the proxy
serves, and bounded like the refusals: nobody can fill the disk with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from eve_proxy.audit.suppression import Suppressor
from eve_proxy.enforcement import answers
from eve_proxy.enforcement.certificates import PATH as CERTIFICATES
from eve_proxy.enforcement.certificates import means_us
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.errors import (
    BodyInterrupted,
    BodyTooLarge,
    JournalUnavailable,
    Malformed,
    Overloaded,
    SigningFailed,
)
from eve_proxy.model.posture import POSTURE, NotAPosture, Posture
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire import strict_json
from eve_proxy.wire.events import RequestHead

PATH: Final = b"/posture"
# A report with as many checks as there may be has 2 KiB.
LARGEST: Final = 16 * 1024
REASON: Final = "a client reported what eve-proxy doctor found; the report was not examined"
_JSON: Final = b"application/json"

# ``note(kind, reason, details)``: the certificate of a record that is not a decision, when it is durable.
Note = Callable[[str, str, dict[str, Any]], Awaitable[DecisionCertificate]]


class _Refused(Exception):
    """What to answer instead of a certificate."""

    def __init__(self, status: int, message: str, *fields: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields = list(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostureReports:
    """Writes reports into the journal.

    :ivar note: see ``Journal.note``.
    :ivar suppressor: counts the reports with the refusals.
    """

    note: Note
    suppressor: Suppressor

    async def enter(self, client: Downstream, head: RequestHead) -> None:
        """Answer one request of an allowed client: 201 and the certificate, or why there is none."""
        try:
            _check(head)
            posture = await _report(client)
            certificate = await self._record(client.peer, posture)
        except _Refused as refused:
            head_only = head.request.method == "HEAD"
            client.answer(
                answers.text(refused.status, refused.message, refused.fields, head_only=head_only), keep=False
            )
        except Malformed as error:
            client.malformed(error)
        except BodyInterrupted:
            client.abort()
        else:
            keep = client.may_continue
            where = (b"Location", CERTIFICATES + b"/" + certificate.certificate_id.encode("ascii"))
            client.answer(answers.render(201, _JSON, certificate.line, [where], keep=keep), keep=keep)

    async def _record(self, peer: str, posture: Posture) -> DecisionCertificate:
        if not self.suppressor.admit(peer, POSTURE):
            raise _Refused(429, "too many reports and refusals in this minute", (b"Retry-After", b"60"))
        details = {"reported_by": peer, "reported_at": posture.at, "exit": posture.exit, "results": posture.results}
        try:
            return await self.note(POSTURE, REASON, details)
        except (JournalUnavailable, SigningFailed) as error:
            raise _Refused(503, f"the report was not recorded: {error}", (b"Retry-After", b"1")) from error


def is_report(head: RequestHead) -> bool:
    """Whether a request that is addressed to the proxy itself is for this entry point."""
    return head.request.target.partition(b"?")[0] == PATH


def _check(head: RequestHead) -> None:
    """What can be said before the body is there."""
    request = head.request
    if request.method != "POST":
        raise _Refused(405, "only POST", (b"Allow", b"POST"))
    if not means_us(request.authority):
        raise _Refused(403, "ask by address or as localhost: a page in a browser could have made up this name")
    # A page may send a form or a text to any address without asking; JSON only after a preflight, which nobody answers.
    kind, _, _ = (request.headers.get(b"content-type") or b"").partition(b";")
    if kind.strip().lower() != _JSON:
        raise _Refused(415, "send the report as Content-Type: application/json")


async def _report(client: Downstream) -> Posture:
    body = client.body
    assert body is not None  # of every request that gets here, if only an empty one
    try:
        body.narrow(LARGEST)
        document = await body.read()
    except BodyTooLarge as error:
        raise _Refused(413, f"a report has at most {LARGEST} bytes") from error
    except Overloaded as error:
        raise _Refused(503, str(error), (b"Retry-After", b"1")) from error
    try:
        return Posture.from_document(strict_json.loads(document.content))
    except NotAPosture as error:
        raise _Refused(400, str(error)) from error
    except ValueError as error:
        raise _Refused(400, "the report is not strict JSON") from error
