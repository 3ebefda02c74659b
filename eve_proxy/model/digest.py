"""What a certificate says of the request it is about, and what a witness signs of it: digests, never content."""

from __future__ import annotations

import hashlib

from eve_proxy.model.certificate import RequestDigest
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.text import clean


def request_digest(exchange: Exchange) -> RequestDigest:
    """What was decided. An empty body has a size and no digest; an unread one has neither."""
    request, body = exchange.request, exchange.body
    authority = request.authority
    return RequestDigest(
        method=clean(request.method, 32),
        scheme=request.scheme,
        host=authority.host,
        port=authority.port,
        path_sha256=None if request.is_connect else hashlib.sha256(request.target).hexdigest(),
        body_sha256=body.sha256 if body is not None and body.size else None,
        body_bytes=None if body is None else body.size,
        request_id=request.request_id,
    )
