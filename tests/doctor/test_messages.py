"""What is sent, byte for byte."""

from __future__ import annotations

import pytest

from eve_proxy.doctor import messages
from eve_proxy.model.authority import parse_authority
from eve_proxy.wire.client_hello import ClientHello, ClientHelloReader
from eve_proxy.wire.events import Data, RequestHead
from eve_proxy.wire.request_reader import RequestReader

TOKEN = "0123456789abcdef"
AUTHORITY = parse_authority("127.0.0.1:3128", None)


@pytest.mark.parametrize(
    "data",
    [
        messages.get("/", "192.0.2.1", TOKEN),
        messages.get("http://web.example/", "web.example", TOKEN),
        messages.open_tunnel(parse_authority("[2001:db8::1]:443", None), TOKEN),
        messages.post_json("/posture", "localhost", TOKEN, b"{}"),
    ],
)
def test_requests_are_acceptable_and_carry_their_token(data: bytes) -> None:
    """The strictest reader takes them, and the certificate can be told from all others."""
    events = RequestReader(default_authority=AUTHORITY).feed(data)
    head = events[0]
    assert isinstance(head, RequestHead)
    assert head.request.request_id == f"eve-doctor-{TOKEN}"
    assert not head.keep_alive
    names = {name for name, _ in head.request.headers}
    assert not names & {b"authorization", b"cookie", b"proxy-authorization"}
    assert [event.data for event in events if isinstance(event, Data)] in ([], [b"{}"])


def test_quic_greeting() -> None:
    """A long header with the fixed bit, an unknown version, and the size below which servers do not look."""
    data = messages.quic_greeting(TOKEN)
    assert (len(data), data[0] & 0xC0) == (1200, 0xC0)
    assert data[1:5] == b"\x1a\x2a\x3a\x4a"
    assert (data[5], data[6:14], data[14]) == (8, b"01234567", 8)


@pytest.mark.parametrize("name", ["eve-doctor-0123456789abcdef.invalid", None])
def test_client_hello(name: str | None) -> None:
    """The proxy's own reader takes it, and sees the name or none."""
    seen = ClientHelloReader().feed(messages.client_hello(name))
    assert isinstance(seen, ClientHello)
    assert (seen.sni, seen.ech) == (name, False)
