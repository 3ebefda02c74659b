"""Canonical bytes: what is hashed is exactly RFC 8785, by the word of an independent implementation."""

from __future__ import annotations

import math

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.canonical import NotCanonical, canonical_bytes, canonical_number, plain

NUMBERS = st.floats(-(2.0**53) + 1, 2.0**53 - 1).map(canonical_number) | st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = st.text(st.characters(codec="ascii"), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_bytes_are_rfc8785(values: dict[str, object]) -> None:
    """An auditor can recompute the hash with any RFC 8785 library."""
    fields = {**values, "content_hash": "sha256-x", "signature": "hmac-x"}
    covered = {key: value for key, value in fields.items() if key not in ("content_hash", "signature")}
    assert canonical_bytes(fields) == rfc8785.dumps(covered)


@given(NUMBERS)
def test_numbers_are_spelled_as_rfc8785(number: float) -> None:
    """Every number we write reads the same in JavaScript."""
    assert orjson.dumps(number) == rfc8785.dumps(number)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [(1.0, 1), (1.4124, 1.412), (0.0004, 0), (-0.0, 0), (0, 0), (2.0**53 - 1, 2**53 - 1), (12.3456, 12.346)],
)
def test_number_rules(given_: float, expected: float) -> None:
    """A latency has at most three decimals, and whole milliseconds have none."""
    result = canonical_number(given_)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2.0**53, 2**53, -(2**53), 10**400])
def test_numbers_without_a_canonical_form(value: float) -> None:
    """A number that a double cannot hold exactly never gets into a certificate."""
    with pytest.raises(NotCanonical):
        canonical_number(value)


def test_plain_sorts_and_converts() -> None:
    """The details of a record have one spelling, whatever order they were put together in."""
    assert list(plain({"b": 1.0, "a": {"d": 1, "c": [2.0]}}).items()) == [("a", {"c": [2], "d": 1}), ("b", 1)]


class Hostile(dict):  # type: ignore[type-arg]
    """Runs code when it is asked anything."""

    def items(self) -> object:
        raise RuntimeError("called")

    __len__ = __iter__ = __getitem__ = items  # type: ignore[assignment]


def test_plain_calls_nothing_of_the_value() -> None:
    """An object that only looks like a dict cannot run its own code inside the verifier."""
    assert plain(Hostile(a=1)) == {"a": 1}


CYCLE: list[object] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    "value",
    [
        CYCLE,
        b"bytes",
        (1,),
        {1: 2},
        {"é": 1},
        1.0005,
        "x" * 5000,
        [0] * 300,
        {str(number): 0 for number in range(300)},
        object(),
    ],
)
def test_plain_refuses(value: object) -> None:
    """What is not JSON, or more than a certificate can hold, is refused without cost."""
    with pytest.raises(NotCanonical):
        plain(value)
