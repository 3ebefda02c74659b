"""What each kind of variable accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from eve_proxy.settings import kinds
from eve_proxy.settings.kinds import Kind

ACCEPTED = [
    (kinds.seconds(0.1, 60), "0.1", 0.1),
    (kinds.seconds(0.1, 60), "60", 60.0),
    (kinds.octets(0, 10), "0", 0),
    (kinds.octets(0, 10), "10", 10),
    (kinds.octets(5, 10, or_off=True), "0", 0),
    (kinds.whole("count", 1, 5), "5", 5),
    (kinds.choice("batch", "off"), "off", "off"),
    (kinds.text(5), "tenän", "tenän"),
    (kinds.FLAG, "0", False),
    (kinds.FLAG, "1", True),
    (kinds.PORT, "65535", 65535),
    (kinds.PORT, "0", 0),
    (kinds.ADDRESS, "0.0.0.0", "0.0.0.0"),
    (kinds.ADDRESS, "0:0:0:0:0:0:0:1", "::1"),
    (kinds.OPTIONAL_ADDRESS, "", None),
    (kinds.OPTIONAL_ADDRESS, "::", "::"),
    (kinds.PATH, "a/b", Path("a/b")),
    (kinds.HEADER_NAMES, "X-Token, X-Other,", frozenset({"x-token", "x-other"})),
    (kinds.QUERY_NAMES, "", frozenset()),
    (kinds.QUERY_NAMES, "Key,sig", frozenset({"key", "sig"})),
    (kinds.PLUGIN_NAMES, "b, a", ("b", "a")),
]
REFUSED = [
    (kinds.seconds(0.1, 60), ["0.09", "61", "nan", "inf", "1e1", "-1", "+1", " 2", "2 ", "1_0", "", "²", "1.", ".5"]),
    (kinds.octets(5, 10, or_off=True), ["4", "00", "11"]),
    (kinds.octets(0, 10), ["11", "-1", "1.0", "1k", "0x1", " 1", "٣"]),
    (kinds.whole("count", 1, 5), ["0", "6", "one"]),
    (kinds.choice("batch", "off"), ["OFF", "no", ""]),
    (kinds.text(5), ["", " ", "sixsix", "a\nb", "a\u202eb", "e\u0301"]),
    (kinds.FLAG, ["true", "yes", "00", " 1", "1 ", "", "2"]),
    (kinds.PORT, ["65536", "-1", "http", "３１２８", ""]),
    (kinds.ADDRESS, ["localhost", "[::1]", "127.1", "10.0.0.0/8", ""]),
    (kinds.OPTIONAL_ADDRESS, ["localhost", "[::1]"]),
    (kinds.PATH, ["a\0b"]),
    (kinds.HEADER_NAMES, ["a b", "x:y", "ä"]),
    (kinds.QUERY_NAMES, ["a=b", "a&b", "a\tb,"]),
    (kinds.HMAC_SECRET, ["-----BEGIN PRIVATE KEY-----\n", '{"keys": []}']),
    (kinds.TOKEN, ["a b", "a\r\nX: y", "ä"]),
]


@pytest.mark.parametrize(("kind", "text", "value"), ACCEPTED)
def test_accepted(kind: Kind, text: str, value: object) -> None:
    """The text means this value."""
    assert kind.read(text) == value


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REFUSED for text in texts])
def test_refused(kind: Kind, text: str) -> None:
    """A text that could be meant otherwise is refused, and the message says what to write."""
    with pytest.raises(ValueError, match="write"):
        kind.read(text)


@pytest.mark.parametrize("kind", [kinds.HMAC_SECRET, kinds.TOKEN])
def test_a_secret_is_read_as_its_bytes(kind: Kind) -> None:
    """The bytes of the environment are the key, and no text is None."""
    assert kind.read("s3cr3t").reveal() == b"s3cr3t"
    assert kind.read("") is None


def test_undecodable_bytes_survive() -> None:
    """A binary secret in the environment signs with its own bytes."""
    assert kinds.HMAC_SECRET.read(b"\xff\x00\x80".decode("utf-8", "surrogateescape")).reveal() == b"\xff\x00\x80"
