"""Typed reading of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from eve_proxy.governance.schema import NotTheContract, objects, pillar_and_vector, text


def test_absent_and_null_are_the_same() -> None:
    """Services that write null for what they do not know are understood."""
    assert text({}, "reason") is text({"reason": None}, "reason") is None
    assert objects({}, "modifications") == objects({"modifications": None}, "modifications") == []


@pytest.mark.parametrize("value", [0, 1, True, False, [], {}, 1.5])
def test_another_type_is_not_read_as_text(value: Any) -> None:
    """A falsy number is not taken for a missing reason."""
    with pytest.raises(NotTheContract):
        text({"reason": value}, "reason")


@pytest.mark.parametrize("value", [0, False, "", "x", {}, [1], [None], [[]], [{}, "x"]])
def test_another_type_is_not_read_as_a_list_of_objects(value: Any) -> None:
    """A falsy value is not taken for an empty list."""
    with pytest.raises(NotTheContract):
        objects({"modifications": value}, "modifications")


@pytest.mark.parametrize(
    ("decision", "policy_ids", "expected"),
    [
        ({}, [], (None, None)),
        ({"matched_pillar": "128", "matched_vector": "706"}, ["P89:1"], ("128", "706")),
        ({}, ["P128"], ("128", None)),
        ({}, ["P128:706"], ("128", "706")),
        ({}, ["P128b:ordinal_quine"], ("128b", "ordinal_quine")),
        ({}, ["SOC2-7", "P89", "P128:706"], ("89", None)),
        ({"matched_pillar": "128"}, ["P89:1", "P128:706"], ("128", "706")),
        ({"matched_pillar": "128"}, ["P89:1"], ("128", None)),
        ({"matched_vector": "9"}, ["P128:706"], ("128", "9")),
        ({"matched_pillar": ""}, ["P128"], ("128", None)),
        ({}, ["p128", "P", "P:1", "PII", "P128:", "XP128", "P128 ", "P128\n", "P128:706:1"], (None, None)),
    ],
)
def test_pillar_and_vector(decision: dict[str, Any], policy_ids: list[str], expected: tuple[Any, Any]) -> None:
    """The certificate names what matched, from the decision or from a violation's policy id."""
    assert pillar_and_vector(decision, [{"policy_id": policy} for policy in policy_ids]) == expected
