"""A report: what goes in comes out, and nothing else goes in."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.posture import MOST_CHECKS, RESULTS, NotAPosture, Posture

AT = "2026-04-16T14:22:03.847Z"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9-]{0,23}", fullmatch=True), st.sampled_from(sorted(RESULTS)),
        min_size=1, max_size=MOST_CHECKS,
    )
)  # fmt: skip
def test_round_trip(results: dict[str, str]) -> None:
    """What the doctor sends is what the daemon reads."""
    posture = Posture(at=AT, results=results)
    assert Posture.from_document(posture.to_document()) == posture


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ({"a": "ok"}, 0),
        ({"a": "ok", "b": "skip", "c": "info"}, 0),
        ({"a": "warn"}, 3),
        ({"a": "warn", "b": "fail"}, 1),
        ({"a": "warn-accepted", "b": "fail-accepted"}, 0),
    ],
)
def test_what_it_comes_to(results: dict[str, str], status: int) -> None:
    """The exit follows from the results: a reporter cannot say another one."""
    assert Posture(at=AT, results=results).exit == status


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["schema", "at", "results", "x"]) | st.text(max_size=5), inner, max_size=4
            )
        ),
    )
)
def test_nothing_else_is_one(value: Any) -> None:
    """Whatever JSON holds: a report, or NotAPosture, and never another exception."""
    with suppress(NotAPosture):
        assert Posture.from_document(value).to_document() == value


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "a\n", "a" * 25, "-a", "a_b", "ä"])
def test_names_are_plain(name: str) -> None:
    """Nothing that could be taken for something else in a log or a page."""
    with pytest.raises(NotAPosture, match="name"):
        Posture.from_document({"schema": "eve.posture/1", "at": AT, "results": {name: "ok"}})


@pytest.mark.parametrize("at", ["", AT + "\n", "2026-04-16 14:22:03.847Z", "2026-04-16T14:22:03Z", 5, None])
def test_time_has_one_spelling(at: Any) -> None:
    """As in every certificate."""
    with pytest.raises(NotAPosture, match="at:"):
        Posture.from_document({"schema": "eve.posture/1", "at": at, "results": {"a": "ok"}})
