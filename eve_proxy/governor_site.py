"""The reference decision point over HTTP: ``POST /v1/decisions/evaluate`` and ``GET /healthz``."""

# twisted.web is only partly annotated.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import resource, server

from eve_proxy.governor_witness import AnswerWitness
from eve_proxy.pdp.contract import judge, problem, respond
from eve_proxy.pdp.embedded import INLINE_BODY
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.question import BadQuestion

# A body of 10 MiB takes a third more as base64, and up to twice its size where every other byte is a quote that
# JSON escapes; plus the rest of the question.
LARGEST_QUESTION: Final = 2 * (10 << 20) + (1 << 20)
_IDLE_SECONDS: Final = 75.0
_TOO_LARGE: Final = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)

# ``offload(function, *arguments)``, worked out where it does not stop the reactor.
Offload = Callable[..., Awaitable[Any]]


class Evaluate(resource.Resource):
    """``POST /v1/decisions/evaluate``: the contract's question, answered by ``policy``.

    :param offload: where questions over ``INLINE_BODY`` are judged.
    :param token: the bearer token that callers must show; None lets anyone ask.
    :param new_id: called with a number of bytes, gives twice as many hex digits: audit ids.
    :param witness: signs and writes down each answer before it is given; None where nobody does.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        policy: Policy,
        *,
        offload: Offload,
        token: bytes | None,
        new_id: Callable[[int], str],
        witness: AnswerWitness | None = None,
    ) -> None:
        super().__init__()
        self._policy = policy
        self._offload = offload
        self._token = token
        self._new_id = new_id
        self._witness = witness

    def render(self, request: server.Request) -> bytes | int:
        """Twisted's entry; every method but POST is answered 405."""
        return self._evaluate(request) if request.method == b"POST" else _not_allowed(request, b"POST")

    def _evaluate(self, request: server.Request) -> bytes | int:
        if not self._authorised(request):
            request.setHeader(b"www-authenticate", b"Bearer")
            return _finish(request, 401, problem("a valid bearer token is required"))
        assert request.content is not None
        document: bytes = request.content.read()
        audit_id = f"aud_{self._new_id(8)}"
        if len(document) <= INLINE_BODY and self._witness is None:
            return _finish(request, *respond(self._policy, document, audit_id))
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        async def answer() -> None:
            status, text = await self._answer(document, audit_id)
            if not gone:
                request.write(_finish(request, status, text))
                request.finish()

        Deferred.fromCoroutine(answer()).addErrback(self._failed, request, gone)
        return server.NOT_DONE_YET

    async def _answer(self, document: bytes, audit_id: str) -> tuple[int, bytes]:
        if self._witness is None:
            answer: tuple[int, bytes] = await self._offload(respond, self._policy, document, audit_id)
            return answer
        begun = self._witness.now()
        try:
            if len(document) <= INLINE_BODY:
                judged = judge(self._policy, document)
            else:
                judged = await self._offload(judge, self._policy, document)
        except BadQuestion as error:
            return 400, problem(str(error))
        return await self._witness.answer(judged, audit_id, begun)

    def _authorised(self, request: server.Request) -> bool:
        if self._token is None:
            return True
        shown = request.getHeader(b"authorization") or b""
        # Compared in constant time: how long it takes must not tell how much of a guess was right.
        return hmac.compare_digest(shown, b"Bearer " + self._token)

    def _failed(self, failure: Failure, request: server.Request, gone: list[Failure]) -> None:
        # The thread pool is shutting down, or a defect of ours. The text of a question never reaches the log.
        self._log.failure("an evaluation failed", failure=failure)
        if not gone:
            request.write(_finish(request, 500, problem("the evaluation failed")))
            request.finish()


class Health(resource.Resource):
    """``GET /healthz``: 200 ``ok``."""

    isLeaf = True

    def render(self, request: server.Request) -> bytes:
        """Twisted's entry; every method but GET and HEAD is answered 405."""
        if request.method not in (b"GET", b"HEAD"):
            return _not_allowed(request, b"GET, HEAD")
        request.setHeader(b"content-type", b"text/plain")
        return b"ok"


class BoundedRequest(server.Request):
    """A request whose body may not outgrow ``LARGEST_QUESTION``: what announces or sends more is cut off with 413."""

    _received = 0

    def gotLength(self, length: int | None) -> None:
        """Twisted's call when the head is complete; None for a chunked body."""
        super().gotLength(length)
        if length is not None and length > LARGEST_QUESTION:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Twisted's call for each piece of the body."""
        self._received += len(data)
        if self._received <= LARGEST_QUESTION:
            super().handleContentChunk(data)
        else:
            self._refuse()

    def _refuse(self) -> None:
        text = problem(f"the question is larger than {LARGEST_QUESTION} bytes")
        # Twisted has no answer for a body that is still on its way: this one is written to the wire.
        transport = self.channel.transport
        assert transport is not None
        transport.write(_TOO_LARGE % (len(text), text))
        self.channel.loseConnection()


class GovernorSite(server.Site):
    """Keep-alive connections, no access log: each decision is the caller's to record."""

    def log(self, request: Any) -> None:
        """Say nothing."""


class Keys(resource.Resource):
    """``GET /.well-known/jwks.json``: the public key that answers are signed with (RFC 7517)."""

    isLeaf = True

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self._document = document

    def render(self, request: server.Request) -> bytes:
        """Twisted's entry; every method but GET and HEAD is answered 405."""
        if request.method not in (b"GET", b"HEAD"):
            return _not_allowed(request, b"GET, HEAD")
        request.setHeader(b"content-type", b"application/jwk-set+json")
        return self._document


def governor_site(
    policy: Policy,
    *,
    reactor: Any,
    offload: Offload,
    new_id: Callable[[int], str],
    token: bytes | None = None,
    witness: AnswerWitness | None = None,
) -> GovernorSite:
    """The whole site; parameters as for ``Evaluate``."""
    root = resource.Resource()
    root.putChild(b"healthz", Health())
    versions, decisions = resource.Resource(), resource.Resource()
    root.putChild(b"v1", versions)
    versions.putChild(b"decisions", decisions)
    decisions.putChild(b"evaluate", Evaluate(policy, offload=offload, token=token, new_id=new_id, witness=witness))
    if witness is not None:
        known = resource.Resource()
        root.putChild(b".well-known", known)
        known.putChild(b"jwks.json", Keys(witness.jwks))
    return GovernorSite(root, requestFactory=BoundedRequest, timeout=_IDLE_SECONDS, reactor=reactor)


def _not_allowed(request: server.Request, methods: bytes) -> bytes:
    # Twisted's own answer to a method it has not heard of is 501, which reads like a defect of the service.
    request.setHeader(b"allow", methods)
    return _finish(request, 405, problem(f"only {methods.decode()}"))


def _finish(request: server.Request, status: int, text: bytes) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"content-length", b"%d" % len(text))
    return text
