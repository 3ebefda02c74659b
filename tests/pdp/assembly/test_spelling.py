"""Letters that are spelled out, mixed with noise, or picked."""

from __future__ import annotations

import re

import pytest

from eve_proxy.pdp.assembly.spelling import backwards, initials, pieces_backwards, strided, unseparated


@pytest.mark.parametrize("text", [b"c-y-a", b"c.y..a", b"c3y7a", b"c y a", b"c / y / a", b"c, y, a", b"c->y->a"])
def test_what_lies_between_letters_becomes_a_seam(text: bytes) -> None:
    """Marks, digits and blanks alike."""
    assert any(re.search(rb"c\0+y\0+a", one) for one in unseparated(text))


def test_the_gap_of_words_stays_when_letters_are_spelled() -> None:
    """Two blanks, or a mark, end a word."""
    assert b"t\0o\0l  g\0a\0s" in list(unseparated(b"t o l  g a s"))


def test_commas_count_where_they_are_meant() -> None:
    """Parameters of minified code are no letters."""
    assert not any(b"c\0y\0a" in one for one in unseparated(b"f(c,y,a)"))
    assert any(b"c\0y\0a" in one for one in unseparated(b"drop each comma: c,y,a"))


def test_text_is_read_backwards_in_every_way() -> None:
    """As a whole, word by word, by words, by quotations, and spelled."""
    made = list(backwards(b"eb ot", [b"yc", b"edina"]))
    assert b"to be" in made
    assert b"be to" in made
    assert b"ot eb" in made
    assert b"cy\0anide" in made
    assert b"c\0y\0a" in list(backwards(b"a y c", []))
    assert b"cy\0anide" in b"|".join(pieces_backwards(b"anide, cy"))


def test_initials_of_lines_and_of_the_words_of_a_sentence() -> None:
    """An acrostic is found whichever way it is written."""
    assert any(b"C\0Y\0A" in one for one in initials(b"Cold is\nYour\nAutumn"))
    assert b"C\0y\0a" in b"|".join(initials(b"Take: Cold yaks ate."))
    assert b"c\0y\0a" in b"|".join(initials(b"Last letters: arc sky era!"))
    assert b"C\0Y\0A" in b"|".join(initials(b'"the Cold day Yet an Autumn"'))


def test_strides_of_words_and_quotations() -> None:
    """Every second letter, from the first or the second."""
    made = b"|".join(strided(b"cxyxaxnxixdxe", [b"hxoxwx xtxo"]))
    assert b"cyanide" in made
    assert b"how to" in made
