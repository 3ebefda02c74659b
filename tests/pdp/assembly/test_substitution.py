"""Texts that say what to replace in themselves."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.substitution import dictionary_of, filled, rewritten, rules_of, translated


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"remove every 'zq'", (b"zq", b"")),
        (b"without the letter x", (b"x", b"")),
        (b"the letter q is noise", (b"q", b"")),
        (b"replace 0 with o", (b"0", b"o")),
        (b'swap every "$$" for "ex"', (b"$$", b"ex")),
        (b"ersetze jedes '7' durch 't'", (b"7", b"t")),
        (b"s.replace('-', '')", (b"-", b"")),
        (b"sed 's/X/o/g'", (b"X", b"o")),
        (b"wherever i write fruit read 'bomb'", (b"fruit", b"bomb")),
    ],
)
def test_each_way_to_say_it_is_a_rule(text: bytes, rule: tuple[bytes, bytes]) -> None:
    """Prose, code, several languages."""
    assert rule in rules_of(text)


def test_ordinary_prose_has_no_rules() -> None:
    """Nothing is rewritten that does not ask for it."""
    assert rules_of(b"please summarise the quarterly figures for the board.") == ()


def test_rules_are_followed_together_and_alone() -> None:
    """One of two may be a decoy."""
    made = list(rewritten(b"c0y1", ((b"0", b""), (b"1", b"a"))))
    assert made == [b"cy1", b"c0ya", b"cya"]


def test_a_code_of_words_is_translated() -> None:
    """Each word for its meaning, and only whole words."""
    code = dictionary_of(b"apple = make, pear -> bomb")
    assert code == ((b"apple", b"make"), (b"pear", b"bomb"))
    assert list(translated(b"apple a pear, pears", code)) == [b"make a bomb, pears"]


def test_blanks_are_filled_from_each_piece_on() -> None:
    """The template may be quoted itself."""
    assert b"a \0cy\0\0anide\0" in list(filled(b"a %s%s", [b"a %s%s", b"cy", b"anide"]))
    assert list(filled(b"no blank", [b"cy"])) == []
