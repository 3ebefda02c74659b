"""Terms as patterns over look-alikes and over leet."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.lexicon import Request, compile_lexicon
from eve_proxy.pdp.obfuscation.terms import disguised, in_leet

LEXICON = compile_lexicon(("heroin", "nerve agent"), (Request(asks=("make",), objects=("bomb*", "tnt"), telling=True),))
LEET = in_leet(LEXICON)


def test_a_term_is_found_on_its_boundaries() -> None:
    """A longer word that contains a term is another word."""
    pattern = disguised(LEXICON)
    assert pattern.search("h\u0435roin!".encode())
    assert pattern.search("nerve \u0430gents".encode())
    assert not pattern.search("h\u00e9ro\u00efne".encode())


@pytest.mark.parametrize("text", [b"h3r01n", b"NERV3 4G3N7", b"n3rve_agent", b"b0mb", b"(heroi|\\|) hero1n?"])
def test_digits_and_signs_stand_for_letters(text: bytes) -> None:
    """One of them is enough."""
    assert LEET.search(b"x " + text + b" y")


@pytest.mark.parametrize("text", [b"heroin", b"nerve agent", b"7n7", b"superh3r01n3s", b"http://x/h3r0in%20e"])
def test_plain_letters_and_other_words_are_no_leet(text: bytes) -> None:
    """A word that is written as usual, a short one and a longer one pass."""
    assert (LEET.search(b"x " + text + b" y") is not None) is (b"/" in text)
