"""JSON in which two readers never see two values."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.wire.strict_json import MOST_OBJECTS, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.sampled_from((None, 1)), st.booleans())
def test_every_spelling_of_a_value_is_read(value: Any, indent: int | None, escaped: bool) -> None:
    """Spaces, line breaks and escapes are the sender's to choose."""
    assert loads(json.dumps(value, indent=indent, ensure_ascii=escaped).encode()) == value
    assert loads(orjson.dumps(value)) == value


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1,"a":1}',
        b'{"a": 1, "a": 2}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"a":1,"c":2,"a":3}}]',
        b'{"a":1,"a":{"a":1}}',
    ],
)
def test_a_name_that_occurs_twice_is_refused(document: bytes) -> None:
    """At any level and in any spelling: one reader would take the first, another the last."""
    with pytest.raises(ValueError, match="a name occurs twice"):
        loads(document)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"NaN", b'{"a": -Infinity}', b'\xef\xbb\xbf{"a":1}', b"\xff", '{"a":1}'.encode("utf-16"), b"{} {}",
        b"{'a': 1}", b'{"a": 1,}', b'"\x01"', b"[" * 5000 + b"]" * 5000, b"[" * 503 + b"]" * 503 + b" ", b"1" * 5000,
    ],
)  # fmt: skip
def test_what_is_not_strictly_json_is_refused(document: bytes) -> None:
    """Not JSON, another character set, a tolerance of some reader, or a nesting meant to exhaust one."""
    with pytest.raises(ValueError, match=r"."):
        loads(document)


@pytest.mark.parametrize("between", [b",", b" , "])
def test_more_objects_than_anybody_needs_are_refused(between: bytes) -> None:
    """A document of nothing but objects cannot keep a judge busy, however it is spelled; a text holds what it likes."""
    many = between.join([b"{}"] * MOST_OBJECTS)
    assert len(loads(b"[%b]" % many)) == MOST_OBJECTS
    with pytest.raises(ValueError, match="more than 100000 objects"):
        loads(b"[%b%b{}]" % (many, between))
    assert loads(b'[1%b"%b"]' % (between, b"{" * (MOST_OBJECTS + 1))) == [1, "{" * (MOST_OBJECTS + 1)]


def test_depth_is_bounded_alike_on_every_python() -> None:
    """What is read does not depend on the interpreter: 500 levels are, more are not."""
    assert loads(b" " + b"[" * 500 + b"]" * 500) is not None
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(b" " + b"[" * 502 + b"]" * 502)
