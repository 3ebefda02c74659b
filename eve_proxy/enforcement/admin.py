"""Entry point: requests that are addressed to the proxy itself. Origin-form only; never forwarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eve_proxy.enforcement import answers
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import Form, RequestHead

HEALTHZ: Final = b"/healthz"
READYZ: Final = b"/readyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What ``/readyz`` says.

    :ivar problem: one line, or None when ready.
    :ivar warnings: short texts for ``X-EVE-Warning``.
    """

    problem: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """``/healthz`` and ``/readyz``, and for everything else what this is. Strangers get to the first two only."""

    readiness: Callable[[], Readiness]

    def enter(self, client: Downstream, head: RequestHead) -> None:
        """Answer one request."""
        request = head.request
        head_only = request.method == "HEAD"
        if not is_probe(head):
            message = "this is a forward proxy: send absolute-form requests (GET http://host/path) or CONNECT host:port"
            client.answer(answers.text(400, message, head_only=head_only), keep=False)
        elif request.method not in ("GET", "HEAD"):
            client.answer(answers.text(405, "only GET and HEAD", [(b"Allow", b"GET, HEAD")]), keep=False)
        elif _path(head) == HEALTHZ:
            _ok(client, [], head)
        else:
            self._ready(client, head)

    def _ready(self, client: Downstream, head: RequestHead) -> None:
        state = self.readiness()
        fields = [(b"X-EVE-Warning", ", ".join(state.warnings).encode("ascii", "replace"))] if state.warnings else []
        if state.problem is None:
            _ok(client, fields, head)
        else:
            head_only = head.request.method == "HEAD"
            client.answer(answers.text(503, state.problem, fields, head_only=head_only), keep=False)


def is_probe(head: RequestHead) -> bool:
    """Whether a request is about the proxy's health: the only ones that anyone may make."""
    return head.form is Form.ORIGIN and _path(head) in (HEALTHZ, READYZ)


def _path(head: RequestHead) -> bytes:
    return head.request.target.partition(b"?")[0]


def _ok(client: Downstream, fields: answers.Fields, head: RequestHead) -> None:
    keep = client.may_continue
    head_only = head.request.method == "HEAD"
    answer = answers.render(200, b"text/plain; charset=utf-8", b"ok", fields, head_only=head_only, keep=keep)
    client.answer(answer, keep=keep)
