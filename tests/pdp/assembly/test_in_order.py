"""Fragments in their order, with something between them."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.cues import Cue
from eve_proxy.pdp.assembly.in_order import MOST_CUTS, assembled_in_order, without_connectors
from eve_proxy.pdp.assembly.vocabulary import prepare
from eve_proxy.pdp.assembly.windows import stream_of, tokens_of

VOCABULARY = prepare(("cyanide", "sarin", "heroin", "nerve agent", "assassinate"))
assert VOCABULARY is not None


def found(text: str, cues: Cue = Cue.PROSE) -> bool:
    tokens = tokens_of(text.encode())
    streams = (stream_of(tokens), stream_of(without_connectors(tokens)))
    return assembled_in_order(VOCABULARY, text.encode(), streams, cues, set())


@pytest.mark.parametrize(
    "text",
    [
        "c-y-a-n-i-d-e",
        "cy-anide",
        "cy * an * ide",
        "'cy' 'anide'",
        "cy, anide",
        "part 1: cy, part 2: anide",
        "cy followed by anide",
        "her*oin",
        "'hero', 'in'",
        "ner/ve ag/ent",
    ],
)
def test_fragments_with_marks_between_them_count(text: str) -> None:
    """Separators of every kind, lists and labels do not hide a term."""
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "cyanide",
        "nerve agent, nerve-agent, nerveagent",
        "cya-\nnide",
        "cya-\r\n    nide",
        "the hero in the story",
        "a hero, in my opinion",
        "SAR in mobile phones".lower(),
        "the assassin ate lunch",
    ],
)
def test_honest_text_does_not(text: str) -> None:
    """Plain terms, hyphenated line ends and ordinary words that spell a term by accident pass."""
    assert not found(text)


def test_a_blank_counts_when_the_text_says_to_close_it() -> None:
    """Removing spaces is an instruction like any other."""
    assert not found("say cy anide")
    assert found("say cy anide", Cue.PROSE | Cue.CLOSE_UP)


def test_code_counts_only_with_literals() -> None:
    """Names in minified code spell many things; strings are written on purpose."""
    assert not found("f(s,a,r,i,n); g(cy,anide)", Cue.CODE)
    assert found("'sa'+'rin'", Cue.CODE)
    assert found("'s','a','r','i','n'", Cue.CODE)


def test_literals_that_are_the_whole_term_count_at_a_natural_cut() -> None:
    """Two words of a term joined by an operator are assembled, a long string that is wrapped there is not."""
    assert found('"nerve " + "agent"', Cue.CODE)
    assert not found('"every nerve " + "agent we know"', Cue.CODE)


def test_a_flood_of_different_cuts_is_an_attack_itself() -> None:
    """Nobody can hide one cut behind many that look harmless."""
    ways = [
        f"{term.joined[:place].decode()} {term.joined[place:].decode()}"
        for term in VOCABULARY.terms
        for place in range(1, len(term.joined))
        if place not in term.natural
    ]
    assert len(ways) > MOST_CUTS
    assert not any(map(found, ways))
    assert not found(" zz ".join(ways[:MOST_CUTS]))
    assert found(" zz ".join(ways))


def test_words_hyphenated_at_line_ends_are_no_flood() -> None:
    """A long article in narrow columns passes."""
    text = b" ".join(
        term.joined[:place] + b"-\n" + term.joined[place:]
        for term in VOCABULARY.terms
        for place in range(2, len(term.joined) - 1)
        if place not in term.natural
    )
    harmless: set[tuple[bytes, ...]] = set()
    assert not assembled_in_order(VOCABULARY, text, (stream_of(tokens_of(text)),), Cue.PROSE, harmless)
    assert harmless == set()
