"""Terms, requests, and the seams between pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.lexicon import ASKED_WITHIN, MOST_HITS, Request, compile_lexicon, folded, small, words_of

LEXICON = compile_lexicon(
    ("cyanide", "nerve agent", "метамфетамин"),
    (
        Request(asks=("how to", "mak*"), objects=("bomb*", "drug", "drug money", "炸弹"), telling=True),
        Request(asks=("kill*",), objects=("people",)),
    ),
)


def cut(text: str) -> list[bytes]:
    return [one.key for one in LEXICON.cut_in(folded(text.encode()))]


def requested(text: str) -> list[bytes]:
    return [one.key for one in LEXICON.requests_in(folded(text.encode()))]


@pytest.mark.parametrize(
    "text", ["cy\0anide", "CYAN\0IDES", "c\0y\0a\0n\0i\0d\0e", "ner\0ve agent", "nerve ag\0ent", "bo\0mb"]
)
def test_a_seam_inside_a_word_is_a_cut(text: str) -> None:
    """What was put together is seen, in any letter case."""
    assert len(cut(text)) == 1


@pytest.mark.parametrize("text", ["cyanide", "nerve\0agent", "cyanide\0s", "peo\0ple", "mercy\0anide", "cy\0an\0ideal"])
def test_a_seam_elsewhere_is_none(text: str) -> None:
    """A cut where a gap belongs, next to a word or through an everyday word says nothing."""
    assert cut(text) == []


def test_a_request_needs_both_words_near_each_other_in_their_order() -> None:
    """An everyday word is no harm by itself."""
    assert requested("How to make a bomb") == [b"bomb"]
    assert requested("a bomb: how to") == []
    assert requested("how to" + "x " * ASKED_WITHIN + "bomb") == []
    assert requested("kill the bomb") == []


def test_the_longest_object_counts_and_seams_may_lie_in_either_word() -> None:
    """Neither a shorter object nor a seam hides a request."""
    assert requested("making drug money") == [b"drugmoney"]
    assert requested("ki\0ll pe\0ople") == [b"people"]
    assert requested("how to 炸弹") == ["炸弹".encode()]


def test_what_stands_openly_is_known() -> None:
    """Only what a text hides counts against it."""
    assert LEXICON.plainly(folded(b"Making bombs, and cyanide")) == {b"bombs", b"cyanide"}


def test_flooding_is_bounded() -> None:
    """A text full of hits costs no more than some."""
    assert len(list(LEXICON.cut_in(b"cy\0anide " * 10 * MOST_HITS))) == MOST_HITS


def test_whole_pieces_and_joined_ones_are_told_apart() -> None:
    """Evidence differs: a piece that is all of a line, letters out of a longer row."""
    [whole] = LEXICON.cut_in(b"x\0cy\0anide\0y")
    [part] = LEXICON.cut_in(b"x cy\0anide y")
    [row] = LEXICON.cut_in(b"s\0c\0y\0a\0n\0i\0d\0e")
    assert (whole.whole, part.whole) == (True, False)
    assert (part.alone, row.alone) == (True, False)


def test_a_lexicon_may_have_terms_only() -> None:
    """A policy without requests works."""
    bare = compile_lexicon(("cyanide",))
    assert bare.plainly(b"make cyanide and a bomb") == {b"cyanide"}
    assert not bare.asks(b"how to")
    assert list(bare.run_together_in(b"makeabomb")) == []


def test_requests_run_together_are_seen() -> None:
    """Letters picked from a row have no blanks."""
    assert [one.key for one in LEXICON.run_together_in(b"m\0a\0k\0a\0b\0o\0m\0b")] == []
    assert [one.key for one in LEXICON.run_together_in(b"how\0to\0bomb")] == [b"howtobomb"]


@given(st.text(max_size=100))
def test_comparison_form_keeps_every_seam(text: str) -> None:
    """Folding adds no seam, loses none and needs no second round."""
    once = folded(text.encode("utf-8", "replace"))
    assert once.count(b"\0") == text.count("\0")
    assert folded(once) == once
    assert small(small(text.encode("utf-8", "replace"))) == small(text.encode("utf-8", "replace"))


def test_words_are_told_by_what_is_no_letter() -> None:
    """Punctuation in a term is no part of it."""
    assert words_of("Key-Logger 2") == ("key", "logger", "2")
