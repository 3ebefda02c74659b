"""A secret does not leak through the ways values are usually printed."""

from __future__ import annotations

import dataclasses

from eve_proxy.settings.secret import Secret


def test_only_reveal_shows_it() -> None:
    """repr, str, format and a dataclass around it hide the bytes."""

    @dataclasses.dataclass
    class Holder:
        secret: Secret

    secret = Secret(b"hunter2")
    assert secret.reveal() == b"hunter2"
    for text in (repr(secret), str(secret), f"{secret}", repr(Holder(secret)), repr([secret])):
        assert "hunter2" not in text


def test_equal_when_their_bytes_are() -> None:
    """Two readings of one file are the same configuration."""
    assert Secret(b"a") == Secret(b"a")
    assert hash(Secret(b"a")) == hash(Secret(b"a"))
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"
    assert len(Secret(b"abc")) == 3
