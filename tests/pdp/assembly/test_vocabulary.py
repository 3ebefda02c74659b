"""What counts as a term, a cut and a fragment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.assembly.vocabulary import prepare, segmentations, words_of

VOCABULARY = prepare(("Cyanide", "nerve agent", "key-logger", "синильная"))
assert VOCABULARY is not None


def cuts(stream: str) -> list[tuple[bytes, ...]]:
    return list(VOCABULARY.cuts_in(f" {stream} ".encode()))


def test_a_policy_without_terms_has_no_vocabulary() -> None:
    """A policy may leave the list out."""
    assert prepare(()) is None


@pytest.mark.parametrize(
    ("term", "words"), [("Nerve-Agent!", ("nerve", "agent")), ("  A  b1 ", ("a", "b1")), ("--", ()), ("É", ("é",))]
)
def test_terms_are_compared_without_case_and_punctuation(term: str, words: tuple[str, ...]) -> None:
    """It does not matter how a term is spelled in the policy."""
    assert words_of(term) == words


def test_a_cut_inside_a_word_is_found() -> None:
    """The fragments of a protected word that follow each other are seen, wherever it is cut."""
    assert cuts("make cy an ide now") == [(b"cy", b"an", b"ide")]
    assert cuts("ner ve ag ent") == [(b"ner", b"ve", b"ag", b"ent")]
    assert cuts("син ильная") == [("син".encode(), "ильная".encode())]


@pytest.mark.parametrize("stream", ["cyanide", "nerve agent", "nerveagent", "key logger", "xcy anide", "cy anidex"])
def test_natural_writing_is_no_cut(stream: str) -> None:
    """Somebody who writes a term as one writes it is not assembling it."""
    assert cuts(stream) == []


def test_a_decoy_repeated_counts_once() -> None:
    """Flooding a text with one cut does not hide another behind it, nor cost time."""
    assert len(cuts("cy anide " * 1000)) <= 2  # two neighbours share a space
    assert list(dict.fromkeys(cuts("cy anide " * 1000 + "nerv eagent"))) == [(b"cy", b"anide"), (b"nerv", b"eagent")]


def test_whole_terms_are_found_in_each_natural_form() -> None:
    """A term of two words is recognised with and without its gap."""
    assert VOCABULARY.whole_in(b" nerve agent keylogger xcyanide ") == {b"nerveagent", b"keylogger"}


def test_suspects_can_be_covered_by_the_fragments_at_hand() -> None:
    """Only terms whose fragments are all there cost further work."""
    found = frozenset((b"an", b"ide", b"cy", b"nerve", b"agen"))
    assert [term.joined for term in VOCABULARY.suspects(found)] == [b"cyanide"]
    assert VOCABULARY.suspects(frozenset((b"cy", b"ide"))) == []


def test_segmentations_are_the_shortest_and_bounded() -> None:
    """A flood of fragments does not multiply the ways to combine them."""
    term = VOCABULARY.terms[0]
    everything = frozenset(piece for pieces in term.pieces for _, piece in pieces)
    ways = segmentations(term, everything, most=4)
    assert len(ways) == 4
    assert {len(way) for way in ways} == {2}


@given(st.lists(st.integers(1, 3), min_size=3, max_size=7))
def test_any_way_to_cut_a_word_is_a_cut(sizes: list[int]) -> None:
    """There is no place to cut that goes unseen."""
    word, pieces = "cyanide", []
    for size in sizes:
        pieces.append(word[:size])
        word = word[size:]
    pieces = [piece for piece in (*pieces, word) if piece]
    assert cuts(" ".join(pieces)) == [tuple(piece.encode() for piece in pieces)]
