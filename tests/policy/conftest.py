"""Exchanges to judge."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request

MakeExchange = Callable[..., Exchange]


def _make(
    authority: str, *, method: str = "GET", route: Route | None = None, size: int | None = None, peer: str = "127.0.0.1"
) -> Exchange:
    connect = method == "CONNECT"
    body = None if size is None else Body(chunks=(b"x" * size,), size=size, sha256="0" * 64, content=b"x" * size)
    return Exchange(
        id="cert_0123456789abcdef",
        route=route or (Route.CONNECT if connect else Route.FORWARD),
        request=Request(
            method=method,
            scheme="https" if connect else "http",
            authority=parse_authority(authority, 443 if connect else 80),
            target=b"" if connect else b"/",
            headers=Headers(),
        ),
        peer=peer,
        peer_port=40000,
        org_id="default",
        caller=EGRESS_CALLER,
        received_at=1_700_000_000.0,
        coverage=Coverage.DESTINATION if connect else Coverage.FULL,
        body=body,
    )


@pytest.fixture(scope="session")
def exchange() -> MakeExchange:
    """``exchange("host:port", method=..., size=...)``."""
    return _make
