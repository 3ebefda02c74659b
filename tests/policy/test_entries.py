"""What an operator sees of a comma-separated setting."""

import pytest

from eve_proxy.policy.entries import read_entries


def read(text: str) -> int:
    if not text.isdigit():
        raise ValueError("write digits")
    return int(text)


def test_entries_are_read_in_order_whatever_the_spacing() -> None:
    """A list may be spread over a line with blanks and a trailing comma."""
    assert read_entries(" 3 ,1,\t2,", read) == (3, 1, 2)


def test_an_empty_text_has_no_entries() -> None:
    """An empty setting is no rule and no fault."""
    assert read_entries("", read) == ()


@pytest.mark.parametrize("text", [" , ,", ",", " ", "\n"])
def test_blanks_and_commas_alone_are_a_fault(text: str) -> None:
    """A template that rendered to commas stops the start instead of switching the rule off."""
    with pytest.raises(ValueError, match="lists nothing"):
        read_entries(text, read)


def test_every_bad_entry_is_named_with_its_remedy() -> None:
    """All typing errors of a list are reported at once."""
    with pytest.raises(ValueError) as caught:
        read_entries("1,one,2,two", read)
    assert str(caught.value) == '"one": write digits; "two": write digits'


def test_a_bad_entry_is_quoted_without_control_characters() -> None:
    """A pasted escape sequence does not reach the terminal, and a long one does not fill it."""
    with pytest.raises(ValueError) as caught:
        read_entries("\x1b[31m" + "x" * 500, read)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 120
