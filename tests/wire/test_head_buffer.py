"""Collecting a head within bounds."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.head_buffer import HEAD_LIMIT, LINE_LIMIT, HeadBuffer


def line(size: int) -> bytes:
    return b"GET /".ljust(size, b"a")


def fault(buffer: HeadBuffer, *pieces: bytes) -> tuple[str, int]:
    *first, last = pieces
    assert [buffer.take(piece) for piece in first] == [None] * len(first)
    with pytest.raises(Malformed) as caught:
        buffer.take(last)
    return caught.value.fault, caught.value.status


def test_a_head_in_one_piece() -> None:
    """Head and body in one segment are told apart."""
    assert HeadBuffer().take(b"A\r\nB: c\r\n\r\nbody") == (b"A\r\nB: c\r\n", b"body")


def test_a_head_byte_by_byte() -> None:
    """A slow client is understood like a quick one."""
    buffer = HeadBuffer()
    *all_but_last, last = b"A\r\nB: c\r\n\r\n"
    for count, byte in enumerate(all_but_last, 1):
        assert buffer.take(bytes([byte])) is None
        assert len(buffer.pending) == count
    assert buffer.take(bytes([last]) + b"body") == (b"A\r\nB: c\r\n", b"body")
    assert len(buffer.pending) == 0


@pytest.mark.parametrize("pieces", [(b"\r\n\r\nA\r\n\r\n",), (b"\r", b"\n\r", b"\nA\r\n\r\n"), (b"\r\n", b"A\r\n\r\n")])
def test_blank_lines_before_a_request_are_skipped(pieces: tuple[bytes, ...]) -> None:
    """A client that ends its last body with an extra CRLF is served (RFC 9112 section 2.2)."""
    buffer = HeadBuffer(2)
    *first, last = pieces
    assert [buffer.take(piece) for piece in first] == [None] * len(first)
    assert buffer.take(last) == (b"A\r\n", b"")


def test_a_skipped_blank_line_is_not_a_started_head() -> None:
    """After a stray CRLF the connection is still idle."""
    buffer = HeadBuffer(2)
    assert buffer.take(b"\r\n") is None
    assert len(buffer.pending) == 0


def test_too_many_blank_lines() -> None:
    """An endless row of empty lines is not waited for."""
    assert fault(HeadBuffer(2), b"\r\n\r\n\r\n") == ("not-http", 400)
    assert fault(HeadBuffer(), b"\r\n") == ("not-http", 400)
    assert fault(HeadBuffer(2), b"\r\n", b"\r\n", b"\r") == ("not-http", 400)


def test_tls_on_a_plain_port_is_said_at_once() -> None:
    """A client that speaks TLS gets an answer instead of a time-out."""
    with pytest.raises(Malformed, match="TLS"):
        HeadBuffer().take(b"\x16")


def test_bare_lf_is_noticed_before_the_head_ends() -> None:
    """A client that ends lines with LF alone would otherwise wait for the head timeout."""
    assert fault(HeadBuffer(), b"GET / HTTP/1.1\nHost: a\n\n") == ("bare-lf", 400)
    assert fault(HeadBuffer(), b"GET / HTTP/1.1\r", b"\nA: b\n") == ("bare-lf", 400)
    assert HeadBuffer().take(b"GET / HTTP/1.1\r\n") is None


@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
def test_first_line_bound(end: bytes) -> None:
    """A request line of 16 KiB is read, one byte more is 414, whether or not its end is there."""
    buffer = HeadBuffer()
    taken = buffer.take(line(LINE_LIMIT) + end)
    assert (taken is not None) is bool(end)
    assert fault(HeadBuffer(), line(LINE_LIMIT + 1) + end) == ("line-too-long", 414)
    assert fault(HeadBuffer(), b"G", line(LINE_LIMIT) + end) == ("line-too-long", 414)


def test_first_line_bound_is_the_same_however_the_bytes_are_cut() -> None:
    """The longest request line is read when the network cuts between its CR and LF as well."""
    buffer = HeadBuffer()
    assert buffer.take(line(LINE_LIMIT) + b"\r") is None
    assert buffer.take(b"\n\r\n") is not None
    assert fault(HeadBuffer(), line(LINE_LIMIT + 1) + b"\r") == ("line-too-long", 414)


@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
def test_head_bound(end: bytes) -> None:
    """A head of 64 KiB is read, one byte more is 431, whether or not its end is there."""
    start = b"GET / HTTP/1.1\r\nA: "
    fitting = start.ljust(HEAD_LIMIT - len(end), b"b") + end
    taken = HeadBuffer().take(fitting)
    assert (taken is not None) is bool(end)
    too_big = start.ljust(HEAD_LIMIT + 1 - len(end), b"b") + end
    assert fault(HeadBuffer(), too_big) == ("head-too-large", 431)
    assert fault(HeadBuffer(), too_big[:100], too_big[100:]) == ("head-too-large", 431)


def test_half_a_blank_line_is_waited_for_only_where_one_is_allowed() -> None:
    """An upstream that begins with CR is told off at once, not after a timeout."""
    assert fault(HeadBuffer(), b"\r") == ("not-http", 400)
    assert HeadBuffer(1).take(b"\r") is None
    assert fault(HeadBuffer(1), b"\r\n", b"\r") == ("not-http", 400)


def test_each_head_may_have_its_blank_lines() -> None:
    """A client that ends every body with an extra CRLF is served for as long as it likes."""
    buffer = HeadBuffer(2)
    for _ in range(3):
        assert buffer.take(b"\r\n") is None
        assert buffer.take(b"A\r\n\r\n") == (b"A\r\n", b"")
        assert buffer.take(b"\r\n\r\nB\r\n\r\n") == (b"B\r\n", b"")
    assert fault(buffer, b"\r\n\r\n\r\n") == ("not-http", 400)
