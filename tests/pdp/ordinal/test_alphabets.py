"""Alphabets that are no encoding of bytes."""

from __future__ import annotations

import re

import pytest
import re2

from eve_proxy.pdp.ordinal.alphabets import ATBASH, SHIFTS, braille, codes_of, morse, placed, spelled


@pytest.mark.parametrize("text", ["-.-. .- -", "\u2013\u00b7\u2013\u00b7 \u00b7\u2013 \u2013", "_._. ._ _"])
def test_morse_is_read(text: str) -> None:
    """With dots and dashes of any typeface; a slash parts words."""
    assert morse(f"x {text} / {text} y".encode()) in (b"cat cat", b"cat cat ")


def test_braille_is_read() -> None:
    """Signs become letters, all else stays."""
    assert braille("say \u2809\u2801\u281e".encode()) == b"say cat"
    assert braille(b"none") == b""


def test_spelling_words_are_read() -> None:
    """A word of the alphabet alone is only a word."""
    assert spelled(b"Charlie, Oscar; lima echo!") == b"cole"
    assert spelled(b"Mike met Oscar in Quebec, in November") == b""


@pytest.mark.parametrize("text", [b"3-1-20 4-15-7", b"3.1.20 4.15.7", b"03-01-20 / 04-15-07", b"3,1,20 4,15,7"])
def test_places_in_the_alphabet_are_read(text: bytes) -> None:
    """Dashes inside words and blanks between them, or one mark everywhere."""
    assert b"cat dog" in list(placed(text))


def test_one_gap_everywhere_tells_no_words() -> None:
    """Then all letters are one word as well."""
    assert b"cat" in list(placed(b"3 1 20"))


def test_ciphers_are_undone_by_their_tables() -> None:
    """Some shift undoes every other, and Atbash itself."""
    assert b"Cat" in [b"Fdw".translate(table) for table in SHIFTS]
    assert b"Cat".translate(ATBASH).translate(ATBASH) == b"Cat"
    assert len(set(SHIFTS)) == 25


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("decimal", b"99"), ("decimal", b"67"), ("hex", b"63"), ("hex", b"0x43"), ("hex", b"\\x63"), ("octal", b"0143"),
        ("binary", b"01100011"), ("place", b"03"), ("morse", b"-.-."), ("spelled", b"charlie"),
    ],
)  # fmt: skip
def test_patterns_know_each_way_to_write_a_letter(kind: str, code: bytes) -> None:
    """A long text is searched for them without being decoded."""
    assert re2.compile(codes_of(b"c")[kind]).fullmatch(code)
    assert re.fullmatch(codes_of(b"d")[kind], code) is None
