"""Where a body ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, FramingKind
from eve_proxy.wire.framing import declared_framing, relay_framing, response_framing


def length(size: int) -> Framing:
    return Framing(kind=FramingKind.LENGTH, length=size)


def test_what_a_head_can_declare() -> None:
    """Nothing, a length, or chunks."""
    assert declared_framing("1.1", (), ()) == NO_BODY
    assert declared_framing("1.1", [b"0"], ()) == length(0)
    assert declared_framing("1.0", [b"0012"], ()) == length(12)
    assert declared_framing("1.1", (), [b"chunked"]) == declared_framing("1.1", (), [b"Chunked"]) == CHUNKED


@given(
    st.sampled_from(["1.0", "1.1"]),
    st.lists(st.sampled_from([b"0", b"5", b"+5", b"5,5", b"", b"9" * 20, b"\xb2"]), max_size=2),
    st.lists(st.sampled_from([b"chunked", b"CHUNKED", b"gzip", b"gzip, chunked", b"identity", b""]), max_size=2),
)
def test_one_reading_or_none(version: str, lengths: list[bytes], codings: list[bytes]) -> None:
    """A body is framed by one plain length, by exactly chunked, or the message is refused."""
    sound_length = not codings and (not lengths or (len(lengths) == 1 and lengths[0] in (b"0", b"5")))
    sound_chunks = version == "1.1" and not lengths and [coding.lower() for coding in codings] == [b"chunked"]
    try:
        declared_framing(version, lengths, codings)
    except Malformed:
        accepted = False
    else:
        accepted = True
    assert accepted is (sound_length or sound_chunks)


@pytest.mark.parametrize("declared", [NO_BODY, length(5), CHUNKED])
def test_responses_without_a_body(declared: Framing) -> None:
    """HEAD, 1xx, 204 and 304 have none, whatever their head says."""
    assert response_framing("HEAD", 200, declared) == NO_BODY
    for status in (100, 101, 103, 204, 304):
        assert response_framing("GET", status, declared) == NO_BODY


def test_responses_with_a_body() -> None:
    """Without a declaration it lasts until the upstream closes."""
    for status in (200, 205, 303, 404, 500):
        assert response_framing("GET", status, NO_BODY) == UNTIL_CLOSE
        assert response_framing("GET", status, CHUNKED) == CHUNKED
        assert response_framing("GET", status, length(5)) == length(5)


def test_framing_towards_the_client() -> None:
    """A 1.1 client gets chunks where the length is unknown, a 1.0 client gets the end of the connection."""
    for version in ("1.0", "1.1"):
        assert relay_framing(length(5), 5, version) == length(5)
        assert relay_framing(NO_BODY, None, version) == NO_BODY
        assert relay_framing(NO_BODY, 7, version) == Framing(kind=FramingKind.NONE, length=7)
    for received in (CHUNKED, UNTIL_CLOSE):
        assert relay_framing(received, None, "1.1") == CHUNKED
        assert relay_framing(received, None, "1.0") == UNTIL_CLOSE
