"""Whether a string that has the form of a credential is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.secrets.checks import crc32_in_base62, entropy, looks_drawn

# The example that GitHub's announcement of the format is quoted with; split, so that no scanner stops at it.
PUBLISHED = b"gh" + b"p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + b"0mLq17"


def test_the_published_example_checks() -> None:
    """The checksum is the issuer's, not one of our own."""
    assert crc32_in_base62(PUBLISHED)


@given(st.integers(4, len(PUBLISHED) - 1), st.sampled_from(b"abcXYZ019"))
def test_any_other_letter_fails(place: int, letter: int) -> None:
    """One changed letter is noticed."""
    changed = PUBLISHED[:place] + bytes((letter,)) + PUBLISHED[place + 1 :]
    assert crc32_in_base62(changed) is (changed == PUBLISHED)


@pytest.mark.parametrize("value", [b"q8Zr2Lk9Xw4Tn7Bv3Hs6Yp", b"Tr0ub4dor&3x", b"9f86d081884c7d659a2feaa0c55ad015"])
def test_random_values_look_drawn(value: bytes) -> None:
    """Keys and good passwords."""
    assert looks_drawn(value)


@pytest.mark.parametrize(
    "value",
    [
        b"AKIAIOSFODNN7EXAMPLE", b"xxxxxxxxxxxxxxxxxxxxxxxx", b"your-key-here-123456", b"abcdefghijklmnop",
        b"0123456789012345",
        b"qwertyuiop12", b"changeme1234", b"aaaaabbbbbcccccddddd", b"${SECRET_TOKEN_VALUE}",
        b"abababababababababababab", b"",
    ],
)  # fmt: skip
def test_examples_do_not(value: bytes) -> None:
    """What documentation prints, and what a hand typed."""
    assert not looks_drawn(value)


@given(st.binary(max_size=100))
def test_entropy_is_between_none_and_that_of_its_length(value: bytes) -> None:
    """A bound that holds for every string."""
    assert 0 <= entropy(value) <= 8
