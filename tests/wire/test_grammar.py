"""Byte classes and comma-separated lists."""

from __future__ import annotations

import pytest

from eve_proxy.wire.grammar import TCHAR, TEXT, VCHAR, is_token, members


def test_byte_classes_are_those_of_the_rfc() -> None:
    """No delimiter is a name's character, no control character but HTAB stands on a line, no blank in a target."""
    assert set(VCHAR) - set(TCHAR) == set(b'"(),/:;<=>?@[\\]{}')
    assert set(range(256)) - set(TEXT) == ({*range(0x20), 0x7F} - {0x09})
    assert not {*b" \t\r\n\0\x7f"} & set(VCHAR)
    assert len(TCHAR) == len(set(TCHAR)) == 77


@pytest.mark.parametrize(("raw", "token"), [(b"GET", True), (b"M-SEARCH", True), (b"", False), (b"a b", False)])
def test_token(raw: bytes, token: bool) -> None:
    """A method or a name is a token or nothing."""
    assert is_token(raw) is token


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([b""], []),
        ([b" Close\t"], [b"close"]),
        ([b"keep-alive, ,Upgrade,"], [b"keep-alive", b"upgrade"]),
        ([b"a", b"B ,c"], [b"a", b"b", b"c"]),
    ],
)
def test_members(values: list[bytes], expected: list[bytes]) -> None:
    """Lists may come in several fields, in any case, with empty members."""
    assert members(values) == expected
