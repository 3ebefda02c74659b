"""A proxy's answer to CONNECT: one head, and everything after it belongs to somebody else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.connect_answer import ConnectAnswer

OK = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 squid\r\n\r\n"


@given(st.lists(st.integers(1, len(OK) + 5), max_size=6))
def test_pieces_of_any_size(cuts: list[int]) -> None:
    """Wherever the network cuts it, the head is read once, and not a byte of the tunnel's is lost."""
    whole = OK + b"\x16\x03\x01\x00\x05"
    edges = sorted({0, *cuts, len(whole)})
    answer, head, after = ConnectAnswer(), None, b""
    for start, end in pairwise(edges):
        if head is not None:
            after += whole[start:end]
        else:
            head = answer.feed(whole[start:end])
    assert head is not None
    assert head.status == 200
    assert answer.rest + after == b"\x16\x03\x01\x00\x05"


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_body_announced_on_a_200_is_none(field: bytes) -> None:
    """A 2xx to CONNECT has no body, whatever its head announces (RFC 9110 section 9.3.6)."""
    answer = ConnectAnswer()
    head = answer.feed(b"HTTP/1.1 200 OK\r\n%b\r\n\r\nhello" % field)
    assert head is not None
    assert answer.rest == b"hello"


@pytest.mark.parametrize("status", [201, 299, 301, 403, 407, 502])
def test_the_status_is_the_callers_to_judge(status: int) -> None:
    """Every final status is given back as it is."""
    head = ConnectAnswer().feed(b"HTTP/1.0 %d Whatever\r\n\r\npage" % status)
    assert head is not None
    assert head.status == status


def test_interim_answers_are_skipped() -> None:
    """A 1xx is not the answer, and there are not endlessly many."""
    interim = b"HTTP/1.1 103 Early\r\n\r\n"
    answer = ConnectAnswer()
    assert answer.feed(interim * 16) is None
    head = answer.feed(OK)
    assert head is not None
    assert head.status == 200
    with pytest.raises(Malformed, match="more than 16"):
        ConnectAnswer().feed(interim * 17)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"x" * 1000) * 70 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"x" * 1000) * 70,
        b"HTTP/1.1 200 " + b"x" * 17_000,
    ],
)
def test_what_is_not_acceptable(data: bytes) -> None:
    """Nothing that could be read in two ways, and nothing endless, opens a tunnel."""
    with pytest.raises(Malformed):
        ConnectAnswer().feed(data)
