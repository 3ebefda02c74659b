"""The WebSocket handshake's answer."""

import pytest

from eve_proxy.model.headers import Headers
from eve_proxy.wire.websocket import accepts

KEY = (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")
ACCEPT = (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


def test_example_of_the_rfc() -> None:
    """The handshake that every client makes is recognised (RFC 6455 section 1.3)."""
    assert accepts(Headers.of([KEY]), Headers.of([ACCEPT]))


@pytest.mark.parametrize(
    ("request_fields", "response_fields"),
    [
        ([], [ACCEPT]),
        ([KEY, KEY], [ACCEPT]),
        ([KEY], []),
        ([KEY], [ACCEPT, ACCEPT]),
        ([KEY], [(b"Sec-WebSocket-Accept", b"c3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]),
    ],
)
def test_anything_else_opens_no_tunnel(request_fields: list, response_fields: list) -> None:
    """A 101 that answers another handshake, or none, is refused."""
    assert not accepts(Headers.of(request_fields), Headers.of(response_fields))
