"""Encodings undone."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.ordinal.encodings import base85, decoded, listed

WORD = b"mountain lake"


@pytest.mark.parametrize(
    "coded",
    [
        base64.b64encode(WORD), base64.urlsafe_b64encode(WORD).rstrip(b"="), base64.b32encode(WORD),
        base64.b32encode(WORD).lower().rstrip(b"="), WORD.hex().encode(), b"0x" + WORD.hex().upper().encode(),
        b"%" + WORD.hex("%").encode(), b"=" + WORD.hex("=").upper().encode(),
        base64.b64encode(WORD.decode().encode("utf-16-le")),
    ],
)  # fmt: skip
def test_each_encoding_is_undone(coded: bytes) -> None:
    """What was encoded comes out, next to anything else that looks encoded."""
    text = b"Describe: " + coded + b" (QUJDREVGRw and deadbeef01)"
    assert any(WORD in one.row or WORD in one.apart for one in decoded(text, within=False))


@pytest.mark.parametrize("code", [base64.b85encode, base64.a85encode])
def test_both_kinds_of_base85_are_undone(code: type) -> None:
    """Python's, and Adobe's with or without its frame."""
    assert any(WORD in one.row for one in base85(b"x " + code(WORD)))


@pytest.mark.parametrize(
    "text",
    [
        " ".join(map(str, WORD)), ", ".join(map(hex, WORD)), " ".join(f"{code:o}" for code in WORD), WORD.hex(" "),
        " ".join(f"{code:08b}" for code in WORD), "".join(f"{code:08b}" for code in WORD),
        "+".join(f"chr({code})" for code in WORD), "".join(f"&#{code};" for code in WORD),
    ],
)  # fmt: skip
def test_each_list_of_numbers_is_read(text: str) -> None:
    """Decimal, hex, octal and binary, whatever stands between the numbers."""
    assert any(WORD in one.row for one in listed(text.encode()))


def test_a_window_may_begin_inside_a_run() -> None:
    """A long run that is cut anywhere still gives its text."""
    coded = base64.b64encode(WORD * 3)
    for cut in range(4):
        assert any(WORD in one.row for one in decoded(coded[cut:], within=True))


def test_runs_are_set_apart_on_request() -> None:
    """A sentence that was encoded by itself comes out by itself."""
    text = b" ".join([base64.b64encode(WORD), base64.b64encode(WORD)])
    [both] = decoded(text, within=False)
    assert both.row == WORD * 2 or both.row.count(WORD) == 2
    assert both.apart.split(b"  ")[0] == WORD
    [row] = decoded(text, within=False, apart=False)
    assert row.apart == b""


@given(st.binary(max_size=300))
def test_results_are_bounded(text: bytes) -> None:
    """Nothing fails, and nothing grows beyond its source by more than its padding."""
    for one in (*decoded(text, within=True), *listed(text), *base85(text)):
        assert len(one.row) <= 3 * len(text) + 200
