"""User and password for a proxy (RFC 7617, "Basic")."""

from __future__ import annotations

from base64 import b64encode


def basic_credentials(text: bytes) -> bytes:
    """The value of ``Proxy-Authorization`` for ``user:password``; one newline at the end does not count.

    :raises ValueError: with what to write instead, and nothing of the text.
    """
    text = text.removesuffix(b"\n").removesuffix(b"\r")
    user, colon, password = text.partition(b":")
    if not colon or not user:
        raise ValueError("write user:password, on one line")
    # RFC 7617 section 2: neither may contain control characters.
    if any(byte < 0x20 or byte == 0x7F for byte in text):
        raise ValueError("it has a control character or a second line; write user:password, on one line")
    return b"Basic " + b64encode(user + b":" + password)
