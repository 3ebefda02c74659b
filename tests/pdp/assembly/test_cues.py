"""Which texts carry instructions."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.assembly.cues import Cue, cues_in


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("Join the pieces", Cue.PROSE),
        ("GLUE these\n- a", Cue.PROSE),
        ("A then B", Cue.PROSE),
        ("'x' + y", Cue.CODE),
        ("f(a+b)", Cue.CODE),
        ("${a}${b}", Cue.CODE),
        ("$a . $b", Cue.CODE),
        ("x || y", Cue.CODE),
        ('", ".join(x)', Cue.CODE),
        ("remove the dashes", Cue.STRIP),
        ("ignoring every '*'", Cue.STRIP),
        ("replace 0 with o", Cue.STRIP),
        ("s.replace('-', '')", Cue.STRIP),
        ("without any spaces", Cue.CLOSE_UP),
        ("written backwards", Cue.REVERSE),
        ("s[::-1]", Cue.REVERSE),
        ("the first letter of each", Cue.INITIALS),
        ("every other letter", Cue.STRIDE),
    ],
)
def test_an_instruction_is_recognised(text: str, cue: Cue) -> None:
    """Each way to say what to do with fragments counts, in any letter case."""
    assert cues_in(text.encode()) & cue
    assert cues_in(text.upper().encode()) & cue


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please summarise the quarterly report for the board.",
        '{"model": "gpt-4o-mini", "temperature": 0.2, "items": ["a", "b"], "on": true}',
        "The meeting moved to Tuesday; bring the slides.",
        "QUJDREVGR0hJSktMTU5PUA==",
        "x.y(z)",
    ],
)
def test_ordinary_text_carries_none(text: str) -> None:
    """Most bodies are not looked at any further."""
    assert cues_in(text.encode()) is Cue.NONE
