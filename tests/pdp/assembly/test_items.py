"""Pieces that a list sets apart."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.items import MOST_ITEMS, listed, numbered, permuted


@pytest.mark.parametrize(
    "text",
    [
        b"(2) anide (1) cy", b"2. anide\n1. cy", b"[2] anide [1] cy -- well", b"| 2 | anide |\n| 1 | cy |",
        b"second piece: anide; first piece: cy", b"2nd = 'anide', 1st = 'cy'", b"(2,'anide') (1,'cy')",
    ],
)  # fmt: skip
def test_numbers_give_the_order(text: bytes) -> None:
    """Shuffling numbered pieces hides nothing."""
    assert b"cy\0anide" in list(numbered(text))


@pytest.mark.parametrize(
    "text",
    [
        b"[cy] [anide]",
        b"say:\n- cy\n- anide",
        b"x\npiece: cy\npiece: anide",
        b"<cy><anide>",
        b"x\n  1) cy,\n  2) anide",
    ],
)
def test_what_is_set_apart_is_joined(text: bytes) -> None:
    """Brackets, bullets and labels are no part of a piece."""
    assert any(b"cy\0anide" in one for one in listed(text))


def test_letters_with_numbers_are_sorted() -> None:
    """b1 o2 m3 b4."""
    assert b"b\0o\0m\0b" in list(listed(b"o2 b4 b1 m3"))


def test_a_list_of_numbers_orders_pieces() -> None:
    """Indices from 0 or 1, in a list or one by one."""
    assert b"cy\0an\0ide" in list(permuted(b"order = [2, 0, 1]", [b"an", b"ide", b"cy"]))
    assert b"cy\0an\0ide" in list(permuted(b"(3,1,2)", [b"an", b"ide", b"cy"]))
    assert b"cy\0an\0ide" in list(permuted(b"p[2] + p[0] + p[1]", [b"an", b"ide", b"cy"]))
    assert list(permuted(b"[7, 8]", [b"a", b"b"])) == []


def test_pieces_are_bounded() -> None:
    """A text of nothing but items costs no more than some."""
    assert all(one.count(b"\0") <= MOST_ITEMS for one in listed(b"(1) a " * 3 * MOST_ITEMS))
    assert list(numbered(b"(1) a " * MOST_ITEMS)) == []
