"""Texts in comparison form, cut into windows."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.assembly.windows import CLOSELY, OVERLAP, SIZE, is_binary, plain, windows, without_data


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("CY\u2013an\u00adide", b"cy-an-ide"),
        ("\u201cCy\u201d", b'"cy"'),
        ("\u00ab cy \u00bb", b'"cy"'),
        ("c\u200by", b"c*y"),
        ("c\U0001f525y", b"c*"),
        ("Ж", "ж".encode()),
    ],
)
def test_typography_is_made_plain(text: str, form: bytes) -> None:
    """Curly quotes, long dashes, invisible characters and emoji separate as their plain relatives do."""
    assert plain(text.encode()).startswith(form)


def test_a_short_text_is_one_window() -> None:
    """Ordinary bodies are judged as a whole, closely."""
    assert list(windows(b"Abc")) == [(True, b"Abc")]


@given(st.integers(SIZE - 50, 3 * SIZE), st.integers(0, 3 * SIZE))
def test_what_is_shorter_than_the_overlap_is_in_one_window(length: int, place: int) -> None:
    """Nothing falls between two windows."""
    place = min(place, length)
    mark = b"!" * OVERLAP
    text = b"." * place + mark + b"." * (length - place)
    assert any(mark in window for _, window in windows(text))
    assert all(len(window) <= SIZE for _, window in windows(text))


def test_a_long_text_is_looked_at_closely_at_its_ends() -> None:
    """Time stays bounded: instructions begin or end what they are about."""
    assert all(closely for closely, _ in windows(b"." * (CLOSELY * (SIZE - OVERLAP))))
    looks = [closely for closely, _ in windows(b"." * 10 * SIZE)]
    assert looks == [True] + [False] * (len(looks) - 2) + [True]


def test_binary_data_is_told_from_text() -> None:
    """A picture is not read as prose."""
    assert is_binary(bytes(range(256)))
    assert not is_binary(b"text\twith\r\nlines")


def test_data_is_taken_out_of_text() -> None:
    """Base64 spells anything by chance; a long word with hyphens does not."""
    data = base64.b64encode(random.Random(2).randbytes(90))
    assert without_data(b"see " + data + b" here") == b"see   here"
    for text in (b"c-y-a-n-i-d-e-" * 9, b"a" * 99, b"0123456789abcdef" * 9, data[:60]):
        assert without_data(text) == text
