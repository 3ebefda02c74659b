"""Entry point: requests that are addressed to the proxy itself. Origin-form only; never forwarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eve_proxy.enforcement import answers
from eve_proxy.enforcement.certificates import PATH, Certificates
from eve_proxy.enforcement.posture_reports import PostureReports, is_report
from eve_proxy.signing.key_document import jwks
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import Form, RequestHead

HEALTHZ: Final = b"/healthz"
READYZ: Final = b"/readyz"
JWKS_PATH: Final = b"/.well-known/jwks.json"
METRICS: Final = b"/metrics"
NO_KEYS: Final = jwks(())
_PUBLIC: Final = (HEALTHZ, READYZ, JWKS_PATH)
_TEXT: Final = b"text/plain; charset=utf-8"
_JWKS: Final = b"application/jwk-set+json"  # RFC 7517 section 8.5.2


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
    """Health and public keys for anyone; certificates, metrics, reports on the posture, and what this is, only for
    clients that the router lets in.

    :ivar jwks: the document of ``/.well-known/jwks.json``: the keys that have signed since the start.
    :ivar metrics: the value of ``Accept`` to a content type and a body.
    """

    readiness: Callable[[], Readiness]
    certificates: Certificates
    postures: PostureReports
    jwks: Callable[[], bytes] = lambda: NO_KEYS
    metrics: Callable[[bytes], tuple[bytes, bytes]] = lambda accept: (_TEXT, b"")

    async def enter(self, client: Downstream, head: RequestHead) -> None:
        """Answer one request."""
        request = head.request
        head_only = request.method == "HEAD"
        if _is_for_certificates(head):
            self.certificates.enter(client, head)
        elif head.form is Form.ORIGIN and is_report(head):
            await self.postures.enter(client, head)
        elif not (is_public(head) or _is_for_metrics(head)):
            message = "this is a forward proxy: send absolute-form requests (GET http://host/path) or CONNECT host:port"
            client.answer(answers.text(400, message, head_only=head_only), keep=False)
        elif request.method not in ("GET", "HEAD"):
            client.answer(answers.text(405, "only GET and HEAD", [(b"Allow", b"GET, HEAD")]), keep=False)
        elif _path(head) == HEALTHZ:
            answers.serve(client, head, _TEXT, b"ok", [])
        elif _path(head) == JWKS_PATH:
            answers.serve(client, head, _JWKS, self.jwks(), [])
        elif _path(head) == METRICS:
            kind, body = self.metrics(accepted(head))
            answers.serve(client, head, kind, body, [])
        else:
            self._ready(client, head)

    def _ready(self, client: Downstream, head: RequestHead) -> None:
        state = self.readiness()
        fields = [(b"X-EVE-Warning", ", ".join(state.warnings).encode("ascii", "replace"))] if state.warnings else []
        if state.problem is None:
            answers.serve(client, head, _TEXT, b"ok", fields)
        else:
            head_only = head.request.method == "HEAD"
            client.answer(answers.text(503, state.problem, fields, head_only=head_only), keep=False)


def is_public(head: RequestHead) -> bool:
    """Whether a request is for health or public keys: the only ones that anyone may make."""
    return head.form is Form.ORIGIN and _path(head) in _PUBLIC


def _is_for_certificates(head: RequestHead) -> bool:
    path = _path(head)
    return head.form is Form.ORIGIN and (path == PATH or path.startswith(PATH + b"/"))


def _is_for_metrics(head: RequestHead) -> bool:
    return head.form is Form.ORIGIN and _path(head) == METRICS


def accepted(head: RequestHead) -> bytes:
    """The value of ``Accept``; empty when it is not said."""
    return b",".join(head.request.headers.get_all(b"accept"))


def _path(head: RequestHead) -> bytes:
    return head.request.target.partition(b"?")[0]
