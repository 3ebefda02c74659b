"""user:password for a parent proxy, as it stands in the file."""

from __future__ import annotations

from base64 import b64decode

import pytest

from eve_proxy.wire.basic_credentials import basic_credentials


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (b"eve:secret", b"eve:secret"),
        (b"eve:secret\n", b"eve:secret"),
        (b"eve:secret\r\n", b"eve:secret"),
        (b"eve:with : colons and blanks ", b"eve:with : colons and blanks "),
        ("eve:pässwörd".encode(), "eve:pässwörd".encode()),
        (b"eve:", b"eve:"),
    ],
)
def test_what_is_sent(text: bytes, pair: bytes) -> None:
    """RFC 7617: the pair as it is, in base64; an editor's newline is not part of the password."""
    scheme, _, token = basic_credentials(text).partition(b" ")
    assert (scheme, b64decode(token)) == (b"Basic", pair)


@pytest.mark.parametrize("text", [b"", b"\n", b"secret", b":secret", b"eve:two\nlines", b"eve:\x00", b"eve:\x7f"])
def test_what_is_refused_without_being_shown(text: bytes) -> None:
    """The message says what to write and repeats nothing of the file."""
    with pytest.raises(ValueError, match="write user:password") as caught:
        basic_credentials(text)
    assert "secret" not in str(caught.value)
    assert "two" not in str(caught.value)
