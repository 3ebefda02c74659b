"""Exchanges as eve_proxy's edges make them, on every route: a strategy for Hypothesis."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from eve_proxy.enforcement.library.call import METHOD, NOWHERE, SCHEME
from eve_proxy.model.authority import Authority, parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from tests.fakes.ports import body_of, exchange_of, request_of

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFabcdefXYZxyz"
# The names whose values are redacted among others, and values of any bytes that a field may have.
NAMES = st.sampled_from(("Authorization", "Cookie", "X-Api-Key", "Content-Type")) | st.text(TOKEN, min_size=1)
VALUES = st.binary(max_size=30).map(lambda value: value.translate(None, bytes(range(32)) + b"\x7f").strip())
CREDENTIALS = st.sampled_from(((b"Authorization", b"Bearer s3cret"), (b"COOKIE", b"a=s3cret"), (b"x-note", b"s3cret")))
HEADERS = st.lists(CREDENTIALS | st.tuples(NAMES.map(str.encode), VALUES), max_size=8).map(Headers.of)
TARGETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40).map(
    lambda text: f"/{text}".encode()
)
QUERIES = st.sampled_from((b"", b"?key=s3cret&a=1", b"?a;token=%20x", b"?access_token="))
LABEL = st.text("abcxyzABC019-_", min_size=1, max_size=12).map(lambda text: f"a{text}z")
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join) | st.sampled_from(
    ("bücher.example", "example.com.", "例え.jp")
)
ADDRESS = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
PORTS = st.integers(1, 65535)
AUTHORITIES: st.SearchStrategy[Authority] = st.builds(
    lambda host, port: parse_authority(f"{host}:{port}", None), NAME | ADDRESS, PORTS
)
METHODS = st.sampled_from(("GET", "POST", "MKCALENDAR")) | st.text(TOKEN, min_size=1, max_size=32).filter(
    lambda method: method not in ("CONNECT", METHOD)
)
BODIES: st.SearchStrategy[Body] = st.one_of(
    st.binary(max_size=200).map(body_of),
    st.text(max_size=100).map(str.encode).map(body_of),
    st.binary(max_size=100).map(lambda content: replace(body_of(gzip.compress(content)), content=content)),
)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=128)
LOGS = st.none() | st.builds(
    LogLink,
    id=st.integers(0, 2**64 - 1).map(lambda number: f"log_{number:016x}"),
    seq=st.integers(0, 2**53),
    prev=st.just(GENESIS),
)


def _http(draw: Any, route: Route) -> Exchange:
    coverage = draw(st.sampled_from((Coverage.FULL, Coverage.HANDSHAKE)))
    request = request_of(
        method=draw(METHODS),
        scheme=draw(st.sampled_from(("http", "https"))),
        authority=draw(AUTHORITIES),
        target=draw(st.just(b"*") | st.builds(bytes.__add__, TARGETS, QUERIES)),
        headers=draw(HEADERS),
        websocket=coverage is Coverage.HANDSHAKE,
    )
    return exchange_of(request, route=route, coverage=_by_name(draw, coverage), body=draw(BODIES))


def _by_name(draw: Any, coverage: Coverage) -> Coverage:
    """As it is where a parent proxy resolves names, or not."""
    return coverage.unverified if draw(st.booleans()) else coverage


def _tunnel(draw: Any) -> Exchange:
    request = request_of(
        method="CONNECT", scheme="https", authority=draw(AUTHORITIES), target=b"", headers=draw(HEADERS)
    )
    return exchange_of(request, route=Route.CONNECT, coverage=_by_name(draw, Coverage.DESTINATION))


def _call(draw: Any) -> Exchange:
    request = request_of(method=METHOD, scheme=SCHEME, authority=NOWHERE, target=b"/shop.answer%3Clocals%3E")
    if draw(st.booleans()):
        return exchange_of(request, route=Route.LIBRARY, coverage=Coverage.FULL, body=draw(BODIES))
    return exchange_of(request, route=Route.LIBRARY, coverage=Coverage.NONE)


@st.composite
def our_exchanges(draw: Any) -> Exchange:
    """Any of them."""
    route = draw(st.sampled_from(Route))
    if route is Route.CONNECT:
        exchange = _tunnel(draw)
    elif route is Route.LIBRARY:
        exchange = _call(draw)
    else:
        exchange = _http(draw, route)
    number = draw(st.integers(0, 2**64 - 1))
    return replace(exchange, id=f"cert_{number:016x}", org_id=draw(TEXT), caller=draw(TEXT))
