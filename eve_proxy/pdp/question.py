"""The one question, as the decision point sees it: from an exchange in-process, or from the contract's JSON."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Final

import orjson

from eve_proxy.model.authority import parse_host
from eve_proxy.model.certificate import LogLink, RequestDigest
from eve_proxy.model.errors import InvalidAuthority
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.lean import lean

_MOST_FIELDS: Final = 256
_DIGEST_MEMBERS: Final = frozenset(member.name for member in fields(RequestDigest))
_LONGEST_DIGEST: Final = 128
_LARGEST: Final = 2**53 - 1
_LOG_ID: Final = re.compile(r"log_[0-9a-f]{16}\Z")
_HASH: Final = re.compile(r"sha256-[0-9a-f]{64}\Z")
_REDACTED: Final = "hmac-"
_ROUTES: Final = {route.value: route for route in Route}
_COVERAGES: Final = tuple(coverage.value for coverage in Coverage)


class BadQuestion(ValueError):
    """The question does not keep the contract (400). The message says which member and what was expected."""


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A proposed egress.

    :ivar id: ``request_id``; the answer repeats it.
    :ivar host: canonical, as in ``Authority.host``.
    :ivar path: path and query; empty for CONNECT.
    :ivar body: the bytes to judge, already decoded; empty when there is none or it was not read.
    """

    id: str
    route: Route
    method: str
    scheme: str
    host: str
    port: int
    path: bytes
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> bytes:
        """The Content-Type in lower case, empty when absent. All of them: origins differ in which one they heed."""
        return b", ".join(self.headers.get_all(b"content-type")).lower()


def question_of(exchange: Exchange) -> Question:
    """The question that ``exchange`` asks."""
    request = exchange.request
    authority = request.authority
    return Question(
        id=exchange.id,
        route=exchange.route,
        method=request.method,
        scheme=request.scheme,
        host=authority.host,
        port=authority.port,
        path=request.target,
        headers=request.headers,
        body=b"" if exchange.body is None else exchange.body.content,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question from outside.

    :ivar policy_set: what it wants to be judged by; None for whichever is served.
    :ivar tenant: and ``caller``: in whose name, as far as it says.
    :ivar digest: the certificate's ``request``, and ``head``: the journal's: what a witness signs besides its answer.
    """

    question: Question
    policy_set: str | None
    tenant: str | None = None
    caller: str | None = None
    coverage: str | None = None
    digest: RequestDigest | None = None
    head: LogLink | None = None


def parse_question(document: bytes) -> Asked:
    """Read a contract document (governance-api.md, "Request"). Members it does not name are ignored.

    What is judged has to be there; what only describes may be absent, and is checked where it is present
    (docs/governance-api.openapi.yaml, ``Question``).

    :raises BadQuestion: not JSON, a member missing or of the wrong type, a route, coverage or encoding nobody knows.
    """
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise BadQuestion("the request is not JSON") from None
    outer = _Members("", value)
    action = _Members("proposed_action.", outer.take("proposed_action", dict))
    if action.take("type", str) != "network.egress":
        raise BadQuestion("proposed_action.type must be network.egress")
    route = _ROUTES.get(action.take("route", str))
    if route is None:
        raise BadQuestion(f"proposed_action.route must be one of {', '.join(_ROUTES)}")
    question = Question(
        id=outer.text("request_id", 128),
        route=route,
        method=action.text("method", 32),
        scheme=action.text("scheme", 16),
        host=_host(action.text("host", 260)),
        port=_port(action.take("port", int)),
        path=(action.optional("path", str) or "").encode("utf-8", "replace"),
        headers=_headers(action.optional("headers", list) or []),
        body=_body(action),
    )
    _check_description(outer, action)
    context = outer.inner("context")
    return Asked(
        question=question,
        policy_set=outer.optional("policy_set", str),
        tenant=outer.optional("tenant_id", str),
        caller=outer.inner("user").optional("id", str),
        coverage=context.optional("coverage", str),
        digest=_digest(context.optional("request", dict), question, action),
        head=_head(context.optional("log", dict)),
    )


class _Members:
    """Typed access to a JSON object; errors name the member."""

    def __init__(self, prefix: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise BadQuestion(f"{prefix.rstrip('.') or 'the request'} must be an object")
        self._prefix = prefix
        self._value = value

    def optional(self, name: str, kind: type) -> Any:
        value = self._value.get(name)
        # bool is an int to isinstance, and never one to the contract.
        if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
            return value
        raise BadQuestion(f"{self._prefix}{name} has the wrong type")

    def take(self, name: str, kind: type) -> Any:
        value = self.optional(name, kind)
        if value is None:
            raise BadQuestion(f"{self._prefix}{name} is missing")
        return value

    def inner(self, name: str) -> _Members:
        """The object called ``name``; one without members when it is absent or null."""
        return _Members(f"{self._prefix}{name}.", self.optional(name, dict) or {})

    def count(self, name: str) -> None:
        """Check that ``name``, where it is present, is a number from 0."""
        if (self.optional(name, int) or 0) < 0:
            raise BadQuestion(f"{self._prefix}{name} must not be negative")

    def text(self, name: str, most: int) -> str:
        value: str = self.take(name, str)
        if not 1 <= len(value) <= most:
            raise BadQuestion(f"{self._prefix}{name} must have 1 to {most} characters")
        return value


def _check_description(outer: _Members, action: _Members) -> None:
    """The members that no rule reads: a client that gets them wrong has a defect, and is told."""
    for name in ("timestamp", "tenant_id"):
        outer.optional(name, str)
    user, context = outer.inner("user"), outer.inner("context")
    for name in ("id", "role"):
        user.optional(name, str)
    action.optional("body_sha256", str)
    action.count("body_bytes")
    coverage = context.optional("coverage", str)
    if coverage is not None and coverage not in _COVERAGES:
        raise BadQuestion(f"context.coverage must be one of {', '.join(_COVERAGES)}")
    log = context.inner("log")
    for name in ("id", "prev"):
        log.optional(name, str)
    log.count("seq")


def _digest(said: dict[str, Any] | None, question: Question, action: _Members) -> RequestDigest | None:
    """What the question says that its certificate will say; None when that is not about this very request.

    Such a question is answered like any other, and not witnessed: a signature would be over something else.
    """
    if said is None or set(said) != _DIGEST_MEMBERS:
        return None
    digest = RequestDigest(**said)
    texts = (digest.path_sha256, digest.body_sha256, digest.request_id)
    if any(text is not None and not (isinstance(text, str) and len(text) <= _LONGEST_DIGEST) for text in texts):
        return None
    size, sha256 = action.optional("body_bytes", int), action.optional("body_sha256", str)
    described = (digest.method, digest.scheme, digest.host, digest.port, digest.body_bytes, digest.body_sha256)
    # An empty body has a size and no digest: unknown is never the digest of nothing.
    if described != (question.method, question.scheme, question.host, question.port, size, sha256 if size else None):
        return None
    return digest if _is_path(digest.path_sha256, action.optional("path", str)) else None


def _is_path(sha256: str | None, path: str | None) -> bool:
    if path is None or sha256 is None:
        return path is sha256
    # With a value replaced by its keyed digest, the path is no longer the one that is sent.
    return _REDACTED in path or sha256 in (hashlib.sha256(raw).hexdigest() for raw in _spellings(path))


def _spellings(path: str) -> Iterator[bytes]:
    """The bytes that a path may stand for: UTF-8, else one byte per character (``model.text.readable``)."""
    yield path.encode("utf-8", "replace")
    yield path.encode("latin-1", "replace")


def _head(said: dict[str, Any] | None) -> LogLink | None:
    """The head of a journal like ours; None for anything else, which nobody can compare later."""
    if said is None or set(said) != {"id", "seq", "prev"} or not isinstance(said["seq"], int):
        return None
    if not (isinstance(said["id"], str) and _LOG_ID.match(said["id"]) and 0 <= said["seq"] <= _LARGEST):
        return None
    if not (isinstance(said["prev"], str) and _HASH.match(said["prev"])):
        return None
    return LogLink(id=said["id"], seq=said["seq"], prev=said["prev"])


def _host(text: str) -> str:
    try:
        return parse_host(f"[{text}]" if ":" in text and not text.startswith("[") else text)[0]
    except InvalidAuthority:
        raise BadQuestion("proposed_action.host is not a host") from None


def _port(number: int) -> int:
    if not 1 <= number <= 65535:
        raise BadQuestion("proposed_action.port must be 1 to 65535")
    return number


def _headers(pairs: list[Any]) -> Headers:
    if len(pairs) > _MOST_FIELDS:
        raise BadQuestion(f"proposed_action.headers has more than {_MOST_FIELDS} fields")
    made = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise BadQuestion("proposed_action.headers must be a list of [name, value] pairs")
        made.append((pair[0].encode("utf-8", "replace"), pair[1].encode("utf-8", "replace")))
    return Headers.of(made)


def _body(action: _Members) -> bytes:
    text: str | None = action.optional("body", str)
    encoding = action.optional("body_encoding", str)
    if encoding not in ("utf-8", "base64") and not (text is None and encoding is None):
        raise BadQuestion("proposed_action.body_encoding must be utf-8 or base64")
    if text is None:
        return b""
    if encoding == "utf-8":
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadQuestion("proposed_action.body is not base64") from None
