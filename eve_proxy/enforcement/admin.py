"""Entry point: requests that are addressed to the proxy itself. Origin-form only; never forwarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eve_proxy.enforcement import answers
from eve_proxy.enforcement.certificates import PATH, Certificates
from eve_proxy.policy.clients import AllowedClients, refusal
from eve_proxy.signing.key_document import jwks
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import Form, RequestHead

JWKS_PATH: Final = b"/.well-known/jwks.json"
NO_KEYS: Final = jwks(())
_PATHS: Final = (b"/healthz", b"/readyz", JWKS_PATH)
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
    """Health and public keys for anyone; certificates, and what this is, for allowed clients only.

    :ivar jwks: the document of ``/.well-known/jwks.json``: the keys that have signed since the start.
    """

    readiness: Callable[[], Readiness]
    certificates: Certificates
    clients: AllowedClients
    jwks: Callable[[], bytes] = lambda: NO_KEYS

    def enter(self, client: Downstream, head: RequestHead) -> None:
        """Answer one request."""
        request = head.request
        path = request.target.partition(b"?")[0]
        head_only = request.method == "HEAD"
        if head.form is Form.ORIGIN and path in _PATHS:
            if request.method not in ("GET", "HEAD"):
                client.answer(answers.text(405, "only GET and HEAD", [(b"Allow", b"GET, HEAD")]), keep=False)
            elif path == b"/healthz":
                client.answer(_ok([], head_only), keep=True)
            elif path == JWKS_PATH:
                client.answer(answers.render(200, _JWKS, self.jwks(), [], head_only=head_only, keep=True), keep=True)
            else:
                self._ready(client, head_only)
        elif not self.clients.admits(client.peer):
            client.answer(answers.text(403, refusal(client.peer).reason, head_only=head_only), keep=False)
        elif head.form is Form.ORIGIN and (path == PATH or path.startswith(PATH + b"/")):
            self.certificates.enter(client, head)
        else:
            message = "this is a forward proxy: send absolute-form requests (GET http://host/path) or CONNECT host:port"
            client.answer(answers.text(400, message, head_only=head_only), keep=False)

    def _ready(self, client: Downstream, head_only: bool) -> None:
        state = self.readiness()
        fields = [(b"X-EVE-Warning", ", ".join(state.warnings).encode("ascii", "replace"))] if state.warnings else []
        if state.problem is None:
            client.answer(_ok(fields, head_only), keep=True)
        else:
            client.answer(answers.text(503, state.problem, fields, head_only=head_only), keep=False)


def _ok(fields: answers.Fields, head_only: bool) -> bytes:
    return answers.render(200, b"text/plain; charset=utf-8", b"ok", fields, head_only=head_only, keep=True)
