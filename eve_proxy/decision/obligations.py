"""Carrying out what an allow demands (governance-api.md, ``MODIFIED``). What is not understood is not permitted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from eve_proxy.model.body import Body
from eve_proxy.model.exchange import WHOLE_REQUEST, Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Modification

_BODY = "body"
_HEADER = "headers."
# A replaced body is no longer encoded, signed or digested the way these say.
_BODY_FIELDS = frozenset((b"content-encoding", b"content-md5", b"content-digest", b"repr-digest", b"digest"))


class NotUnderstood(Exception):
    """An obligation that we cannot carry out."""


def fulfil(exchange: Exchange, obligations: tuple[Modification, ...]) -> tuple[Exchange, dict[str, Any]]:
    """The exchange as it may leave, and what the certificate says of the change.

    :returns: the changed exchange, and ``{"modified": [{"field", "before_sha256", "after_sha256"}]}`` with hex
        digests, None for something that was not there.
    :raises NotUnderstood: a field other than ``body`` and ``headers.<name>``, or an exchange without such a field.
    """
    changes: list[dict[str, Any]] = []
    for obligation in obligations:
        if exchange.coverage not in WHOLE_REQUEST:
            raise NotUnderstood("only a fully inspected request can be modified")
        if obligation.field == _BODY:
            exchange, before, after = _replace_body(exchange, obligation.value)
        elif obligation.field.startswith(_HEADER):
            exchange, before, after = _replace_header(exchange, obligation.field[len(_HEADER) :], obligation.value)
        else:
            raise NotUnderstood("a modification of something else than the body or a header")
        changes.append({"field": obligation.field, "before_sha256": before, "after_sha256": after})
    return exchange, {"modified": changes}


def _replace_body(exchange: Exchange, text: str) -> tuple[Exchange, str | None, str]:
    data = text.encode("utf-8")
    digest = hashlib.sha256(data).hexdigest()
    before = exchange.body.sha256 if exchange.body is not None and exchange.body.size else None
    body = Body(chunks=(data,) if data else (), size=len(data), sha256=digest, content=data)
    request = replace(exchange.request, headers=exchange.request.headers.without(_BODY_FIELDS))
    return replace(exchange, request=request, body=body), before, digest


def _replace_header(exchange: Exchange, name: str, value: str) -> tuple[Exchange, str | None, str]:
    headers: Headers = exchange.request.headers
    raw_name, raw_value = name.encode("ascii"), value.encode("latin-1")
    old = headers.get(raw_name.lower())
    request = replace(exchange.request, headers=headers.replacing(raw_name, raw_value))
    before = None if old is None else hashlib.sha256(old).hexdigest()
    return replace(exchange, request=request), before, hashlib.sha256(raw_value).hexdigest()
