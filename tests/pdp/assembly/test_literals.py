"""Quoted pieces."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.literals import MOST_LITERALS, in_a_row, literals_of, sliced


def test_every_kind_of_quote_and_each_alone() -> None:
    """Quotes inside quotes hide nothing."""
    rows = literals_of(b"run(\"print('cy' + 'anide')\") 'x' \"y\"")
    assert [b"print('cy' + 'anide')", b"x", b"y"] in rows
    assert any(row[:2] == [b"cy", b"anide"] for row in rows)


def test_an_apostrophe_is_no_quote() -> None:
    """Honest prose has none of the pieces."""
    assert literals_of(b"it's the dog's bowl") == []


def test_a_row_comes_forwards_backwards_and_without_labels() -> None:
    """Each way to put pieces in a row is tried."""
    assert list(in_a_row([b"piece: a", b"b"])) == [b"piece: a\0b", b"a\0b", b"b\0piece: a"]
    assert list(in_a_row([b"a"])) == []


def test_a_flood_of_quotes_is_divided_at_once() -> None:
    """More pieces than that are still looked at, more coarsely."""
    [row, *_] = literals_of(b"'ab'," * (MOST_LITERALS + 5))
    assert row.count(b"ab") == MOST_LITERALS + 5


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (b"'abcdef'[1:3]", b'"bc"'),
        (b"'abcdef'[::-1]", b'"fedcba"'),
        (b"'abc'[-1]", b'"c"'),
        (b"x[0]", b'"n"'),
        (b"'abcdef'.slice(2,4)", b'"cd"'),
        (b"substring('abcdef',0,2)", b'"ab"'),
        (b"y[0:2]", b"y[0:2]"),
    ],
)
def test_parts_are_cut_out(text: bytes, made: bytes) -> None:
    """Slices are what they are; of an unknown name nothing is known."""
    assert sliced(text, {b"x": b"name"}) == made
