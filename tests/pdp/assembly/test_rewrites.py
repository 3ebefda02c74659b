"""Texts that become a term when their own instructions are followed."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.cues import Cue, cues_in
from eve_proxy.pdp.assembly.rewrites import assembled_by_rewriting, instructions_of
from eve_proxy.pdp.assembly.vocabulary import prepare
from eve_proxy.pdp.assembly.windows import tokens_of

VOCABULARY = prepare(("cyanide", "sarin", "heroin", "nerve agent"))
assert VOCABULARY is not None


def found(text: str) -> bool:
    body = text.lower().encode()
    return assembled_by_rewriting(VOCABULARY, body, tokens_of(body), instructions_of(body, cues_in(body)))


@pytest.mark.parametrize(
    "text",
    [
        "remove every 'zq' from czqyzqanide",
        "delete the letter x: cxyxanxide",
        "drop all q's: cqyanidqe",
        "remove the digits: c1y2anide",
        "replace 0 with a and 1 with i: cy0n1de",
        "'s@rin'.replace('@', 'a')",
        "'c~y~anide'.split('~').join('')",
        "re.sub(r'#', '', 'sa#rin')",
        "strip the html tags: <b>cy</b><i>anide</i>",
        "read backwards: edinayc",
        "reverse each: 'yc' 'edina'",
        "reverse the order: anide, cy",
        "reversed, tnega evren",
        "the first letter of each word: cats yell at night in dark evenings.",
        "first letters\ncats\nyaks\nants\nnewts\nibex\ndogs\neels",
        "last letter of each word: bus idea her ski can.",
        "every other letter of sqaqrqiqn",
        "every third letter of sqqaqqrqqiqqn",
    ],
)
def test_following_the_instructions_makes_a_term(text: str) -> None:
    """The proxy reads what the recipient would read."""
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "remove every 'zq' from banzqana",
        "cyanide is listed; remove every 'zq' from the text, delete the digits",
        "remove the digits from c1y2",
        "read backwards: the hero in it",
        "the first letter of each word: cats yell at night.",
        "every other letter of hxexlxlxo",
        "replace sarin with water",
    ],
)
def test_other_texts_stay_what_they_are(text: str) -> None:
    """Puzzles and edits that make no term pass, and so does a term that stands there anyway."""
    assert not found(text)


def test_the_number_of_replacements_is_bounded() -> None:
    """A text full of instructions costs no more than one with a few."""
    text = " ".join(f"remove every '{a}{b}' here." for a in "bcdfg" for b in "qwxz").encode()
    assert len(instructions_of(text, Cue.STRIP).replacements) <= 8
