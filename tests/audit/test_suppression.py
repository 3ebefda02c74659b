"""A flood of refusals: ten records for each peer, a hundred in all, and one line for the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.audit.suppression import Suppressor
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET, FakeClock


def test_ten_per_peer() -> None:
    """One noisy client gets ten records a minute; others are not affected."""
    suppressor = Suppressor(FakeClock())
    assert [suppressor.admit("10.0.0.1", "client") for _ in range(12)] == [True] * 10 + [False] * 2
    assert suppressor.admit("10.0.0.2", "client")


def test_hundred_in_all() -> None:
    """A thousand clients together get a hundred records a minute."""
    suppressor = Suppressor(FakeClock())
    assert sum(suppressor.admit(f"10.0.{n // 256}.{n % 256}", "client") for n in range(1000)) == 100


def test_next_minute_starts_afresh() -> None:
    """After a minute refusals are recorded one by one again."""
    clock = FakeClock()
    suppressor = Suppressor(clock)
    for _ in range(20):
        suppressor.admit("10.0.0.1", "client")
    clock.advance(59.9)
    assert not suppressor.admit("10.0.0.1", "client")
    clock.advance(0.1)
    assert suppressor.admit("10.0.0.1", "client")


def test_details_of_the_rest() -> None:
    """The summary says how many, why, from whom and when, once."""
    clock = FakeClock()
    suppressor = Suppressor(clock)
    assert suppressor.drain() is None
    for _ in range(13):
        suppressor.admit("10.0.0.1", "client")
    clock.advance(1)
    suppressor.admit("10.0.0.1", "rate")
    clock.advance(1)
    assert suppressor.drain() == {
        "count": 4,
        "since": "2026-04-16T14:02:23.847Z",
        "until": "2026-04-16T14:02:25.847Z",
        "kinds": {"client": 3, "rate": 1},
        "peers": {"10.0.0.1": 4},
    }
    assert suppressor.drain() is None


def test_memory_and_the_record_stay_bounded() -> None:
    """A million spoofed peers cost neither memory nor a record too large to sign."""
    suppressor = Suppressor(FakeClock())
    for number in range(5000):
        suppressor.admit(f"2001:db8:1111:2222:3333:4444:5555:{number:x}", f"kind{number % 40}-{'x' * 20}")
    details = suppressor.drain()
    assert details is not None
    assert len(details["peers"]) == len(details["kinds"]) == 17
    assert sum(details["peers"].values()) == sum(details["kinds"].values()) == details["count"] == 4900
    seal(draft(verdict=None, kind="suppressed", record=details), link(), HmacSigner(SECRET))


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 20)), max_size=400))
def test_every_refusal_is_recorded_or_counted(arrivals: list[tuple[int, float]]) -> None:
    """No refusal disappears: it has its own record or is part of a sum."""
    clock = FakeClock()
    suppressor = Suppressor(clock)
    admitted = 0
    for peer, pause in arrivals:
        clock.advance(pause)
        admitted += suppressor.admit(str(peer), "client")
    rest = suppressor.drain()
    assert admitted + (rest["count"] if rest else 0) == len(arrivals)


def test_those_without_a_record_are_counted_for_good() -> None:
    """The number that metrics show does not start again when the journal's record is written."""
    clock = FakeClock()
    suppressor = Suppressor(clock)
    for _ in range(13):
        suppressor.admit("10.0.0.1", "client")
    suppressor.drain()
    suppressor.admit("10.0.0.1", "client")
    assert suppressor.suppressed == 4
