"""Text as a reader sees it, or as a machine does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.obfuscation.folding import has_a_sign, undisguised, unseen_messages


@pytest.mark.parametrize(
    "text",
    [
        "m\u0430ke",
        "\uff4d\uff41ke",
        "\U0001d426ake",
        "ma\u200bke",
        "m\u0336a\u0336ke",
        "\u24dcake",
        "\u1d0dake",
        "\U0001f17cake",
    ],
)
def test_disguised_letters_become_plain(text: str) -> None:
    """Whatever a letter was dressed as, and whatever was hidden between two."""
    assert has_a_sign(text.encode())
    assert undisguised(text.encode(), short=100).lower() == b"make"


@pytest.mark.parametrize(
    "text", ["caf\u00e9 \u2013 na\u00efve", "\u043f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d", "plain"]
)
def test_honest_text_has_no_sign(text: str) -> None:
    """Text of one script is not folded at all."""
    assert not has_a_sign(text.encode())


def test_of_a_long_text_the_lines_with_a_sign_are_folded() -> None:
    """Time is spent where a disguise can be."""
    text = "plain line\n" * 50 + "a m\u0430ke line\n"
    assert undisguised(text.encode(), short=100) == b"a make line"


def test_messages_that_nobody_sees_are_read() -> None:
    """Tags, and variation selectors that stand for bytes."""
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "hide it")
    selectors = "".join(chr(0xFE00 + code if code < 16 else 0xE0100 + code - 16) for code in b"\x07hide")
    assert unseen_messages(f"x{tags}y{selectors}".encode()) == b"hide it\n\x07hide"
    assert unseen_messages("\u2764\ufe0f \U0001f3f4".encode()) == b""


@given(st.text(max_size=60))
def test_any_text_is_folded(text: str) -> None:
    """Nothing a client sends makes it fail."""
    once = undisguised(text.encode("utf-8", "replace"), short=1000)
    assert undisguised(once, short=1000) == once
    unseen_messages(text.encode("utf-8", "replace"))
