"""Text from outside, made safe."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.text import clean, escaped_size, readable

ANY = st.text(alphabet=st.characters(), max_size=400)


@given(ANY)
def test_escaped_size_is_what_json_takes(text: str) -> None:
    """The budget of a header is counted in the bytes that the header really has."""
    assert escaped_size(text) >= len(json.dumps(text, ensure_ascii=True)) - 2


@given(ANY, st.integers(2, 200))
def test_clean_text_is_bounded_printable_and_stable(text: str, characters: int) -> None:
    """Whatever a client or a decision service sends fits its field, prints on one line, and is in NFC."""
    cleaned = clean(text, characters, escaped=max(8, 2 * characters))
    assert len(cleaned) <= characters
    assert escaped_size(cleaned) <= max(8, 2 * characters)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in cleaned)
    assert clean(cleaned, characters, escaped=max(8, 2 * characters)) == cleaned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a\r\nb", "a\ufffd\ufffdb"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\u202egnp", "\ufffdgnp"),
        ("\ud800", "\ufffd"),
        ("e\u0301", "\u00e9"),
        ("x" * 201, "x" * 199 + "\u2026"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    """Line ends, terminal escapes, bidi tricks and surrogates never reach a log or a certificate."""
    assert clean(text, 200) == expected


def test_readable_keeps_utf8_and_never_fails() -> None:
    """A detector sees the characters a client sent, and a client cannot make the question fail with odd bytes."""
    assert readable("prämie".encode()) == "prämie"
    assert readable(b"pr\xe4mie") == "prämie"
    assert readable(bytes(range(256))) == bytes(range(256)).decode("latin-1")
