"""Look-alikes."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.obfuscation.lookalikes import base_letter, is_weak, lookalikes


@pytest.mark.parametrize("character", ["\uff41", "\U0001d41a", "\u24d0", "\u00e1", "\U0001f170", "\u249c"])
def test_forms_of_a_letter_read_as_it(character: str) -> None:
    """However a letter is dressed up, it is that letter."""
    assert base_letter(character) == "a"
    assert character in lookalikes()["a"]


def test_accents_are_weak_and_other_scripts_strong() -> None:
    """Honest spelling is told from a disguise."""
    assert is_weak("\u00e9")
    assert not is_weak("\u0430")
    assert not is_weak("\u200b")
