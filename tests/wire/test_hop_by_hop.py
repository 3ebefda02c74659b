"""What does not travel on."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.fields import read_fields
from eve_proxy.wire.grammar import members
from eve_proxy.wire.hop_by_hop import REQUEST, RESPONSE, TRAILERS, Fates, connection, names_connection_auth


def kept(*names: bytes, fates: Fates = REQUEST) -> list[bytes]:
    # A value that any of these fields may have, so that llhttp accepts the framing fields too.
    fields = b"".join([b"%b: %b\r\n" % (name, VALUES.get(name, b"1")) for name in names])
    return [name for _, name, _ in read_fields(fields, fates)[0]]


VALUES = {b"Transfer-Encoding": b"chunked"}


def test_connection_fields_stay_here() -> None:
    """Fields of one hop, of proxies and of ours do not reach the other side, in whatever spelling."""
    for name in (
        *(b"Connection", b"KEEP-ALIVE", b"Proxy-Connection", b"TE", b"Trailer", b"Transfer-Encoding", b"Upgrade"),
        *(b"HTTP2-Settings", b"Proxy-Authorization", b"Proxy-Authenticate", b"proxy-anything", b"X-EVE-Decision-Cert"),
        *(b"x-eve-", b"Content-Length"),
    ):
        assert kept(name, b"A") == [b"A"]
        assert kept(name, b"A", fates=RESPONSE) == [b"A"]
    assert kept(b"Host", b"Expect", b"A") == [b"A"]
    assert kept(b"Host", b"A", fates=RESPONSE) == [b"A"]


def test_other_fields_travel_as_they_came() -> None:
    """Order and spelling are kept; a name that only resembles ours is somebody else's."""
    names = (b"Via", b"x-FORWARDED-for", b"Sec-WebSocket-Key", b"X-Everything", b"Proxied", b"Authorization", b"Cookie")
    assert kept(*names) == list(names)


def test_what_connection_names_is_dropped() -> None:
    """RFC 9110 section 7.6.1."""
    assert connection([b""]) == ([], frozenset())
    assert connection([b"close, Keep-Alive", b"TE,upgrade"]) == (
        [b"close", b"keep-alive", b"te", b"upgrade"],
        frozenset(),
    )
    assert connection([b"close, X-A"]) == ([b"close", b"x-a"], {b"close", b"x-a"})
    for usual in (b"close", b"Keep-Alive", b"Upgrade"):
        options, names = connection([usual])
        assert (list(options), names) == (members([usual]), frozenset())


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"via", b"max-forwards"])
def test_connection_must_not_name_what_delimits_or_routes(name: bytes) -> None:
    """A peer that obeys and one that does not would read two different messages."""
    with pytest.raises(Malformed) as caught:
        connection([b"close, " + name])
    assert caught.value.fault == "connection-names-essential"


def test_trailers_cannot_change_the_message() -> None:
    """Framing, routing, content format, authentication and cookies are not taken from a trailer."""
    assert kept(b"Set-Cookie", b"content-type", b"Server-Timing", fates=TRAILERS) == [b"Server-Timing"]


@pytest.mark.parametrize("fates", [REQUEST, RESPONSE, TRAILERS])
def test_usual_names_have_no_fate_of_their_own(fates: Fates) -> None:
    """A name that is in the table meets with what would have been found out about it without the table."""
    for spelt, fate in fates.items():
        assert fates.__missing__(spelt) == fate
        assert fate[0] == spelt.lower()
    size = len(fates)
    assert fates[b"X-Unheard-Of"] == (b"x-unheard-of", True, False)
    assert fates[b"not a token"] == fates[b""] == (b"", False, True)
    assert len(fates) == size, "a peer's names must not pile up"


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


@pytest.mark.parametrize(
    "name", [b"Content_Length", b"transfer_encoding", b"X_EVE_Decision_Cert", b"Proxy_Authorization", b"x-eve_verdict"]
)
def test_an_underscore_does_not_smuggle_a_name(name: bytes) -> None:
    """A CGI origin takes `X_EVE_Verdict` for ours and `Content_Length` for the framing: neither travels."""
    assert REQUEST[name][1] is False
    assert RESPONSE[b"X_EVE_Verdict"][1] is False
    assert REQUEST[b"X_Mine"][1] is True
