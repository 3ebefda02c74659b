"""Parts of a multipart body."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.multipart import parts_as_text


def test_transfer_codings_are_undone() -> None:
    """A part that travels as base64 or quoted-printable is read as what it says."""
    coded = base64.b64encode(b"a long text that is told")
    head = b"--B\r\nContent-Transfer-Encoding: "
    assert b"that is told" in parts_as_text(head + b"base64\r\n\r\n" + coded + b"\r\n--B--")
    assert b"h=i" in parts_as_text(head + b"quoted-printable\r\n\r\nh=3Di\r\n--B--")


def test_short_fields_are_named() -> None:
    """Instructions that name a field find its value."""
    body = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\ncy\r\n--B--'
    assert b'a = "cy"' in parts_as_text(body)


@given(st.binary(max_size=400))
def test_any_bytes_are_read(content: bytes) -> None:
    """Nothing a client sends makes it fail."""
    assert isinstance(parts_as_text(b"--B\nContent-Transfer-Encoding: base64\n\n" + content), bytes)
