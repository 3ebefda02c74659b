"""The readings inside long texts."""

from __future__ import annotations

from eve_proxy.pdp.assembly.skimming import gapped, quoted, turned


def test_what_quotes_divide_is_joined_both_ways() -> None:
    """Whichever side of a quote a piece lies on."""
    assert list(quoted(b"x'cy'+'anide'y")) == [b"cy\0anide", b"x\0+\0y"]
    assert list(quoted(b"it's")) == []


def test_lines_marks_and_digits_become_seams() -> None:
    """A cut term is found in each."""
    made = list(gapped(b"cy\nan-i7de"))
    assert made[0] == b"cy\0an-i7de"
    assert any(b"an\0i7de" in one for one in made)
    assert any(b"an-i\0de" in one for one in made)


def test_text_is_turned_by_letters() -> None:
    """Letters of several bytes stay letters."""
    assert turned(b"abc") == b"cba"
    assert turned("aжb".encode()) == "bжa".encode()
