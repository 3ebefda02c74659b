"""What does not travel on."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Headers
from eve_proxy.wire.hop_by_hop import (
    REQUEST_DROPS,
    RESPONSE_DROPS,
    dropped,
    end_to_end,
    names_connection_auth,
    trailer_fields,
)


def kept(*names: bytes, drops: frozenset[bytes] = REQUEST_DROPS) -> list[bytes]:
    fields = Headers.of([(name, b"v") for name in names]).fields
    return [name for _, name, _ in end_to_end(fields, drops).fields]


def test_connection_fields_stay_here() -> None:
    """Fields of one hop, of proxies and of ours do not reach the other side, in whatever spelling."""
    for name in (
        *(b"Connection", b"KEEP-ALIVE", b"Proxy-Connection", b"TE", b"Trailer", b"Transfer-Encoding", b"Upgrade"),
        *(b"HTTP2-Settings", b"Proxy-Authorization", b"Proxy-Authenticate", b"proxy-anything", b"X-EVE-Decision-Cert"),
        *(b"x-eve-", b"Content-Length"),
    ):
        assert kept(name, b"A") == [b"A"]
        assert kept(name, b"A", drops=RESPONSE_DROPS) == [b"A"]
    assert kept(b"Host", b"Expect", b"A") == [b"A"]
    assert kept(b"Host", b"A", drops=RESPONSE_DROPS) == [b"A"]


def test_other_fields_travel_as_they_came() -> None:
    """Order and spelling are kept; a name that only resembles ours is somebody else's."""
    names = (b"Via", b"x-FORWARDED-for", b"Sec-WebSocket-Key", b"X-Everything", b"Proxied", b"Authorization", b"Cookie")
    assert kept(*names) == list(names)


def test_what_connection_names_is_dropped() -> None:
    """RFC 9110 section 7.6.1."""
    assert dropped(REQUEST_DROPS, []) is REQUEST_DROPS
    assert dropped(REQUEST_DROPS, [b"close", b"keep-alive", b"te", b"upgrade"]) is REQUEST_DROPS
    assert dropped(REQUEST_DROPS, [b"close", b"x-a"]) == REQUEST_DROPS | {b"close", b"x-a"}


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"via", b"max-forwards"])
def test_connection_must_not_name_what_delimits_or_routes(name: bytes) -> None:
    """A peer that obeys and one that does not would read two different messages."""
    with pytest.raises(Malformed) as caught:
        dropped(REQUEST_DROPS, [b"close", name])
    assert caught.value.fault == "connection-names-essential"


def test_trailers_cannot_change_the_message() -> None:
    """Framing, routing, content format, authentication and cookies are not taken from a trailer."""
    fields = Headers.of([(b"Set-Cookie", b"a"), (b"content-type", b"b"), (b"Server-Timing", b"c")]).fields
    assert list(trailer_fields(fields)) == [(b"server-timing", b"c")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"NTLM", True),
        (b"negotiate", True),
        (b"Basic realm=x, Negotiate abc==", True),
        (b"Basic realm=ntlm", False),
        (b"Bearer", False),
    ],
)
def test_connection_authentication(value: bytes, expected: bool) -> None:
    """A connection that was authenticated for one client is never lent to another."""
    assert names_connection_auth([value]) is expected
