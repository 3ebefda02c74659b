"""Latencies in their buckets."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.counting import BOUNDS, Latencies

SECONDS = st.floats(min_value=0, max_value=1e6)


def test_a_bound_belongs_to_its_bucket() -> None:
    """What took exactly as long as a bucket's `le` says is in it, as Prometheus wants it."""
    latencies = Latencies()
    latencies.observe(BOUNDS[3])
    assert latencies.cumulative[2:5] == [0, 1, 1]
    latencies.observe(BOUNDS[-1] + 1)
    assert latencies.cumulative[-2:] == [1, 2]


@given(seconds=st.lists(SECONDS), settled=st.integers(min_value=1, max_value=5))
def test_nothing_is_lost_or_counted_twice(seconds: list[float], settled: int) -> None:
    """Whenever it is settled and however often it is read, every observation is there once."""
    latencies = Latencies()
    for number, each in enumerate(seconds):
        latencies.observe(each)
        if number % settled == 0:
            latencies.settle()
    for _ in range(2):
        assert latencies.cumulative == [
            *(sum(each <= bound for each in seconds) for bound in BOUNDS),
            len(seconds),
        ]
        assert math.isclose(latencies.sum, math.fsum(seconds), rel_tol=1e-9, abs_tol=1e-9)


def test_settled_observations_take_no_memory() -> None:
    """A proxy that nobody scrapes does not grow: what was put by is sorted and forgotten."""
    latencies = Latencies()
    for _ in range(1000):
        latencies.observe(0.001)
    latencies.settle()
    assert latencies._fresh == []
    assert latencies.cumulative[-1] == 1000
