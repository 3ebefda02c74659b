"""What asks for decoding."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.ordinal.intent import asks_to_decode


@pytest.mark.parametrize(
    "text", [b"Decode this", b"atob('x')", b"these ASCII codes", b"rot13: x", b"convert it to text"]
)
def test_requests_to_decode_are_seen(text: bytes) -> None:
    """Words and code alike ask for decoding."""
    assert asks_to_decode(text)


def test_ordinary_prose_asks_for_nothing() -> None:
    """Most bodies leave here."""
    assert not asks_to_decode(b"Please summarise the quarterly figures for the board.")
