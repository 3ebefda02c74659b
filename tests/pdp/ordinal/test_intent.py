"""What asks for decoding."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.ordinal.intent import asks_to_decode, names_a_cipher, reads_backwards


@pytest.mark.parametrize(
    "text",
    [
        "Decode this", "atob('x')", "these ASCII codes", "rot13: x", "convert it to text", "ENTSCHLÜSSELE das",
        "Расшифруй это", "请解码", "\\x41\\x42\\x43\\x44", "x -> text", "translate from Morse", "printf 'x'",
    ],
)  # fmt: skip
def test_requests_to_decode_are_seen(text: str) -> None:
    """Words of several languages and code alike ask for decoding."""
    assert asks_to_decode(text.encode())


def test_ordinary_prose_asks_for_nothing() -> None:
    """Most bodies leave here."""
    prose = b"Please summarise the quarterly figures for the board."
    assert not asks_to_decode(prose)
    assert not names_a_cipher(prose)
    assert not reads_backwards(prose)


def test_what_else_a_text_speaks_of() -> None:
    """Ciphers and direction cost more, and are looked for where they are named."""
    assert names_a_cipher(b"a Caesar shift")
    assert reads_backwards("Lies es Rückwärts".encode())
