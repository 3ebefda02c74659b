"""Ids by which others know a request."""

from __future__ import annotations

import pytest

from eve_proxy.wire.correlation import correlation

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = b"00f067aa0ba902b7"


def trace(value: bytes) -> str | None:
    return correlation({b"traceparent": [value]})[1]


def test_request_id_wins_over_trace_id() -> None:
    """The client's own id is recorded; the trace id stands in for it."""
    traceparent = [b"00-%b-%b-01" % (TRACE.encode(), PARENT)]
    assert correlation({}) == (None, None)
    assert correlation({b"x-request-id": [b"r-1"]}) == ("r-1", None)
    assert correlation({b"traceparent": traceparent}) == (TRACE, TRACE)
    assert correlation({b"x-request-id": [b"", b"r-2"], b"traceparent": traceparent}) == ("r-2", TRACE)


def test_request_id_is_made_safe() -> None:
    """Nothing that a client sends as id can break a log line or a certificate."""
    request_id, _ = correlation({b"x-request-id": [b"a\xff\xe2\x80\xae" + b"b" * 500]})
    assert request_id is not None
    assert len(request_id) <= 128
    assert request_id.startswith("a\ufffd\ufffdb")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-" + TRACE.encode(),
        b"00-" + TRACE.upper().encode() + b"-" + PARENT + b"-01",
        b"00-" + b"0" * 32 + b"-" + PARENT + b"-01",
        b"00-" + TRACE.encode() + b"-" + b"0" * 16 + b"-01",
        b"ff-" + TRACE.encode() + b"-" + PARENT + b"-01",
        b"00-" + TRACE.encode() + b"-" + PARENT + b"-01-more",
        b"00-" + TRACE[:-1].encode() + b"g-" + PARENT + b"-01",
        b"0-" + TRACE.encode() + b"-" + PARENT + b"-01",
    ],
)
def test_invalid_traceparent_is_ignored(value: bytes) -> None:
    """W3C Trace Context section 3.2: what is not valid is treated as absent."""
    assert trace(value) is None


def test_later_versions_of_traceparent_may_have_more() -> None:
    """A higher version is read as far as it is known."""
    assert trace(b"01-" + TRACE.encode() + b"-" + PARENT + b"-01-more") == TRACE


def test_two_traceparents_are_none() -> None:
    """Ambiguous tracing is no tracing."""
    value = b"00-" + TRACE.encode() + b"-" + PARENT + b"-01"
    assert correlation({b"traceparent": [value, value]}) == (None, None)
