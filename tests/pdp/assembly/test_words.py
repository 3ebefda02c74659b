"""Which fragments mean something."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.words import ORDINARY, unusual


@pytest.mark.parametrize("fragments", ["her o in", "car bomb", "sar in", "silen r", "c y a n", "all in one"])
def test_ordinary_words_alone_are_not_unusual(fragments: str) -> None:
    """Honest prose contains them next to each other."""
    assert unusual(tuple(fragments.encode().split())) is (fragments == "silen r")


@pytest.mark.parametrize("fragments", ["cy anide", "fen ta nyl", "ther mite", "ric in pol"])
def test_broken_words_are(fragments: str) -> None:
    """Nobody writes them without a purpose."""
    assert unusual(tuple(fragments.encode().split()))


def test_the_tables_are_in_comparison_form() -> None:
    """A word with a capital or a space would never match."""
    assert all(word == word.lower() and word.isascii() and b" " not in word for word in ORDINARY)
