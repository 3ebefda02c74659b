"""The exchange, once its body is there."""

from __future__ import annotations

import dataclasses

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request


def test_a_body_changes_nothing_else() -> None:
    """What is judged with its body is the request that was judged without it, down to the last field."""
    request = Request(
        method="POST",
        scheme="http",
        authority=parse_authority("api.example.com", 80),
        target=b"/",
        headers=Headers(),
    )
    exchange = Exchange(
        id="cert_0123456789abcdef",
        route=Route.FORWARD,
        request=request,
        peer="192.0.2.1",
        peer_port=50000,
        org_id="acme",
        caller="app",
        received_at=1_776_348_143.5,
        coverage=Coverage.FULL,
        parent="cert_fedcba9876543210",
    )
    for field in dataclasses.fields(Exchange):
        assert field.name == "body" or getattr(exchange, field.name) != field.default, "a default would hide its loss"
    body = Body(chunks=(b"{}",), size=2, sha256="ab" * 32, content=b"{}")
    assert exchange.with_body(body) == dataclasses.replace(exchange, body=body)
