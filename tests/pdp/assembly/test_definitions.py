"""Named pieces."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.definitions import MOST_DEFINITIONS, definitions_of, resolved


@pytest.mark.parametrize(
    "text",
    [
        b"a = 'cy'; b = \"anide\"", b"a := cy\nb := anide", b"let a be cy and b be anide", b"{a: 'cy', b: 'anide'}",
        b"@a@ is 'cy', @b@ is 'anide'", b"a -> cy, b -> anide", b"a stands for cy, b stands for anide",
    ],
)  # fmt: skip
def test_each_syntax_defines(text: bytes) -> None:
    """Whatever binds a name to a piece is understood."""
    words, _ = definitions_of(text)
    assert dict(words)[b"a"] == b"cy"
    assert dict(words)[b"b"] == b"anide"


def test_a_verb_may_take_a_clause() -> None:
    """Values of several words are read as well."""
    _, clauses = definitions_of(b"define p as steal a, define q as car")
    assert dict(clauses) == {b"p": b"steal a", b"q": b"car"}


@pytest.mark.parametrize("expression", [b"a + b", b"a then b", b"{a}{b}", b"${a}${b}", b"ab", b"@a@@b@"])
def test_each_expression_is_resolved(expression: bytes) -> None:
    """However names are put in a row, their values are."""
    made = list(resolved(expression, [(b"a", b"cy"), (b"b", b"anide")]))
    assert b"cy\0anide" in b"|".join(made[1:]).replace(b"\0\0", b"\0")


def test_values_come_in_their_own_order_too() -> None:
    """An expression that nobody understands does not help."""
    assert next(resolved(b"you know what to do", [(b"a", b"cy"), (b"b", b"anide")])) == b"cy\0anide"
    assert list(resolved(b"a", [(b"a", b"cy")])) == []


def test_the_first_definition_of_a_name_counts() -> None:
    """A decoy afterwards changes nothing."""
    *_, text = resolved(b"say a!", [(b"a", b"cy"), (b"a", b"x"), (b"b", b"y")])
    assert text == b"say \0cy\0!"


def test_definitions_are_bounded() -> None:
    """A text of nothing but definitions costs no more than some."""
    words, _ = definitions_of(b"a=1;" * 10 * MOST_DEFINITIONS)
    assert len(words) == MOST_DEFINITIONS
