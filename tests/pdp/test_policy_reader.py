"""Typed access that collects faults."""

from __future__ import annotations

from typing import Any

import pytest

from eve_proxy.pdp.policy_reader import PolicyReader


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda r: r.mapping("w", None, None), {}),
        (lambda r: r.mapping("w", {"a": 1}, frozenset("a")), {"a": 1}),
        (lambda r: r.entries("w", None), []),
        (lambda r: r.text("w", "x", 3), "x"),
        (lambda r: r.optional("w", None, 3), None),
        (lambda r: r.choice("w", "a", {"a": 1}, 2), 1),
        (lambda r: r.pattern("w", None), None),
        (lambda r: r.each("w", {}, "k", int), None),
        (lambda r: r.each("w", {"k": ["1"]}, "k", int), (1,)),
    ],
)
def test_what_is_right_is_returned(call: Any, expected: object) -> None:
    """Good values come through unchanged and without fault."""
    reader = PolicyReader()
    assert call(reader) == expected
    assert reader.faults == []


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.mapping("w", [], None),
        lambda r: r.mapping("w", {1: 2}, None),
        lambda r: r.mapping("w", {"b": 1}, frozenset("a")),
        lambda r: r.entries("w", {}),
        lambda r: r.entries("w", [1, 2], 1),
        lambda r: r.text("w", None, 3),
        lambda r: r.text("w", "xxxx", 3),
        lambda r: r.text("w", 1, 3),
        lambda r: r.optional("w", "", 3),
        lambda r: r.choice("w", "b", {"a": 1}, 2),
        lambda r: r.choice("w", ["a"], {"a": 1}, 2),
        lambda r: r.pattern("w", "("),
        lambda r: r.pattern("w", 1),
        lambda r: r.each("w", {"k": []}, "k", int),
        lambda r: r.each("w", {"k": ["x"]}, "k", int),
    ],
)
def test_what_is_wrong_is_one_fault_each(call: Any) -> None:
    """Each mistake is told once, with its place, and reading goes on."""
    reader = PolicyReader()
    call(reader)
    assert len(reader.faults) == 1
    assert reader.faults[0].startswith("w")


def test_patterns_see_bytes() -> None:
    """A pattern with a letter outside ASCII finds it in UTF-8, and no byte is beyond a pattern."""
    reader = PolicyReader()
    assert reader.pattern("w", "é+").search("caf\u00e9".encode())
    assert reader.pattern("w", r"\xff").search(b"\xff")
