"""The bounds of the client side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.errors import Overloaded
from eve_proxy.transport.limits import BufferAccount, Limits

LIMITS = Limits(max_body=10 << 20, max_connections=10_000)


def test_the_documented_seconds() -> None:
    """The waits are those of security.md, "Bounds"."""
    assert (LIMITS.head, LIMITS.body_gap, LIMITS.body_total, LIMITS.linger, LIMITS.idle, LIMITS.stall) == (
        10, 30, 120, 5, 60, 15 * 60,
    )  # fmt: skip
    assert LIMITS.body_rate == 64 * 1024


@pytest.mark.parametrize(
    ("size", "spent", "seconds"),
    [
        (0, 0.0, 30.0),  # a gap
        (0, 100.0, 20.0),  # what is left of the whole
        (0, 120.0, 0.0),
        (0, 500.0, 0.0),  # never negative: a timer could not be set
        (64 << 10, 120.0, 1.0),  # one second more for 64 KiB
        (10 << 20, 120.0, 30.0),
        (10 << 20, 270.0, 10.0),
    ],
)
def test_the_wait_for_the_next_piece(size: int, spent: float, seconds: float) -> None:
    """30 s between two pieces, 120 s plus 1 s per 64 KiB in all, whichever ends first."""
    assert LIMITS.body_wait(size, spent) == pytest.approx(seconds)


def test_the_account_is_filled_to_the_last_byte() -> None:
    """EVE_PROXY_MAX_BUFFERED itself fits; one byte more is refused, names the variable, and is not booked."""
    account = BufferAccount(100)
    account.take(60)
    account.take(40)
    with pytest.raises(Overloaded, match="EVE_PROXY_MAX_BUFFERED"):
        account.take(1)
    assert account.held == 100
    account.give_back(40)
    account.take(40)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=40))
def test_the_account_never_holds_more_than_its_limit(steps: list[tuple[bool, int]]) -> None:
    """Whatever bodies come and go: within the limit, and in the end nothing is left behind."""
    account, taken = BufferAccount(100), []
    for comes, size in steps:
        if comes:
            try:
                account.take(size)
                taken.append(size)
            except Overloaded:
                assert sum(taken) + size > 100
        elif taken:
            account.give_back(taken.pop())
        assert account.held == sum(taken) <= 100
    for size in taken:
        account.give_back(size)
    assert account.held == 0
