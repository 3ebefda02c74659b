"""Encodings undone."""

from __future__ import annotations

import base64
import codecs

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.ordinal.encodings import decoded, listed, shifted, substituted

WORD = b"mountain lake"


def test_each_encoding_is_undone() -> None:
    """What was encoded comes out."""
    for coded in (
        base64.b64encode(WORD),
        base64.b32encode(WORD),
        WORD.hex().encode(),
        b"%%%s" % WORD.hex("%").encode(),
    ):
        assert any(WORD in found for found in decoded(b"x: " + coded)), coded
    for spelled in (" ".join(map(str, WORD)), " ".join(f"{code:08b}" for code in WORD)):
        assert any(WORD in found for found in listed(spelled.encode()))
    assert codecs.encode("lake", "rot13").encode() in next(iter(substituted(b"lake")))
    assert b"lake" in list(shifted(b"odnh"))


@given(st.binary(max_size=300))
def test_results_are_bounded(text: bytes) -> None:
    """Nothing fails, and nothing grows beyond its source by more than its padding."""
    for found in (*decoded(text), *listed(text), *substituted(text)):
        assert len(found) <= 2 * len(text) + 8
