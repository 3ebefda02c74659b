"""The values that readers give."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from eve_proxy.model.headers import Headers
from eve_proxy.wire.events import CHUNKED, END, NO_BODY, UNTIL_CLOSE, Data, End, FramingKind


def test_values_cannot_be_changed_after_judging() -> None:
    """What was judged is what is sent: nobody can alter it in between."""
    with pytest.raises(AttributeError):
        NO_BODY.length = 5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Data(b"a").data = b"b"  # type: ignore[misc]


def test_constants_say_what_they_are() -> None:
    """The shared values stand for the framing they are named after."""
    assert [value.kind for value in (NO_BODY, CHUNKED, UNTIL_CLOSE)] == [
        FramingKind.NONE,
        FramingKind.CHUNKED,
        FramingKind.CLOSE,
    ]
    assert End(Headers()) == END
