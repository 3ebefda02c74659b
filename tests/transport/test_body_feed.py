"""Large bodies leave piece by piece."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from eve_proxy.transport.body_feed import BodyFeed


def feed(pieces: list[bytes]) -> tuple[StringTransport, BodyFeed, list[str]]:
    transport, calls = StringTransport(), []
    made = BodyFeed(
        transport, pieces, progress=lambda: calls.append("progress"), finished=lambda: calls.append("finished")
    )
    made.start()
    return transport, made, calls


@given(st.lists(st.integers(min_value=0, max_value=600_000), min_size=1, max_size=6))
def test_everything_arrives_in_bounded_pieces(sizes: list[int]) -> None:
    """However a body is cut, the origin gets exactly it, never much of it at once."""
    pieces = [bytes([n]) * size for n, size in enumerate(sizes)]
    transport, made, calls = feed(pieces)
    before = 0
    while "finished" not in calls:
        made.resumeProducing()
        assert len(transport.value()) - before <= 256 * 1024
        before = len(transport.value())
    assert transport.value() == b"".join(pieces)
    assert calls.count("finished") == 1
    assert transport.producer is None


def test_pulls() -> None:
    """The transport sets the pace."""
    transport, made, calls = feed([b"x" * 1_000_000])
    assert (transport.producer, transport.streaming) == (made, False)
    made.resumeProducing()
    assert len(transport.value()) < 1_000_000
    assert calls == ["progress"]


def test_stops() -> None:
    """An answer that comes early ends the upload."""
    transport, made, _ = feed([b"x" * 1_000_000])
    made.resumeProducing()
    made.stop()
    assert transport.producer is None
    assert len(transport.value()) < 1_000_000
