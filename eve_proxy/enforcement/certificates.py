"""Entry point: ``GET /certificates/<id>`` and ``/certificates?last=N``, for clients that lost the header (evidence.md).

Most clients throw the header of a CONNECT's answer away. What they get here are journal lines, byte for byte. Whom the
proxy serves may ask, and nobody else; they see each other's records, as the page on operating says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from eve_proxy.enforcement import answers
from eve_proxy.model.authority import Authority
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import RequestHead

PATH: Final = b"/certificates"
MOST: Final = 1000
_ID: Final = re.compile(rb"cert_[0-9a-f]{16}")
_LAST: Final = re.compile(rb"last=([1-9][0-9]{0,3})")
_HOW: Final = f"ask for /certificates/<certificate id>, or /certificates?last=N with N from 1 to {MOST}"
_FRESH: Final[answers.Fields] = [(b"Cache-Control", b"no-store")]

_log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Answers from the end of the journal.

    :ivar find: certificate id to its line, None when it is not among the last ones.
    :ivar last: the last so many lines or fewer, oldest first.
    """

    find: Callable[[str], Deferred[bytes | None]]
    last: Callable[[int], Deferred[list[bytes]]]

    def enter(self, client: Downstream, head: RequestHead) -> None:
        """Answer one request of an allowed client."""
        request = head.request
        head_only = request.method == "HEAD"
        refuse = partial(_refuse, client, head_only)
        if request.method not in ("GET", "HEAD"):
            client.answer(answers.text(405, "only GET and HEAD", [(b"Allow", b"GET, HEAD")]), keep=False)
            return
        if not means_us(request.authority):
            refuse(403, "ask by address or as localhost: a page in a browser could have made up this name")
            return
        path, _, query = request.target.partition(b"?")
        name = path[len(PATH) + 1 :]
        last = _LAST.fullmatch(query)
        if path == PATH and last is not None and int(last[1]) <= MOST:
            lines = self.last(int(last[1]))
            lines.addCallback(partial(_many, client, head)).addErrback(_unreadable, refuse)
        elif name and not query:
            found: Deferred[Any] = self.find(name.decode("ascii")) if _ID.fullmatch(name) else succeed(None)
            found.addCallback(partial(_one, client, head, refuse)).addErrback(_unreadable, refuse)
        else:
            refuse(400, _HOW)


def means_us(authority: Authority) -> bool:
    """Whether a Host cannot be the name of a web site that was pointed at this machine (DNS rebinding).

    Such a site's pages would count as of one origin with us, and could read what we answer.
    """
    return authority.address is not None or "." not in authority.host


def _one(client: Downstream, head: RequestHead, refuse: Callable[[int, str], None], line: bytes | None) -> None:
    if line is None:
        refuse(404, "not among the last certificates of this journal; eve-proxy verify reads all of it")
    else:
        answers.serve(client, head, b"application/json", line, _FRESH)


def _many(client: Downstream, head: RequestHead, lines: list[bytes]) -> None:
    answers.serve(client, head, b"application/x-ndjson", b"".join([line + b"\n" for line in lines]), _FRESH)


def _refuse(client: Downstream, head_only: bool, status: int, message: str) -> None:
    client.answer(answers.text(status, message, head_only=head_only), keep=False)


def _unreadable(failure: Failure, refuse: Callable[[int, str], None]) -> None:
    error = failure.value
    if not isinstance(error, OSError):
        _log.failure("defect while answering a certificate", failure=failure)
    refuse(503, "the journal cannot be read")
