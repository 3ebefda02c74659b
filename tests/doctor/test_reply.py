"""Answers of whoever answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.doctor.reply import read_reply


def test_status_fields_and_body() -> None:
    """Names without case; the first of two values."""
    reply = read_reply(b"HTTP/1.1 451 No\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi more")
    assert reply is not None
    assert (reply.status, reply.fields["x-a"], reply.body) == (451, "1", b"hi")


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", b"cut"),
    ],
)
def test_bodies(data: bytes, body: bytes) -> None:
    """In every framing, and as far as they came."""
    reply = read_reply(data)
    assert reply is not None
    assert reply.body == body


def test_an_opened_tunnel_has_no_body() -> None:
    """What follows is not HTTP."""
    reply = read_reply(b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03", method="CONNECT")
    assert reply is not None
    assert reply.body == b""


@pytest.mark.parametrize("data", [b"", b"\x15\x03\x03\x00\x02\x02\x31", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_no_answer(data: bytes) -> None:
    """Something else than HTTP is None, not an exception."""
    assert read_reply(data) is None


@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n"]))
def test_anything_at_all(data: bytes, before: bytes) -> None:
    """Nothing that a stranger sends breaks the doctor."""
    read_reply(before + data)
