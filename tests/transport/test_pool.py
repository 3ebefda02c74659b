"""Which idle connection is used next, and which are closed."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.authority import Authority, IPAddress, parse_authority
from eve_proxy.transport.pool import Pool

A = parse_authority("a.example:80", None)
B = parse_authority("b.example:80", None)
ONE, TWO = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")


@dataclass(eq=False)
class Link:
    authority: Authority | None
    address: IPAddress | None
    idle_since: float = 0.0


def test_reuses_the_newest() -> None:
    """A busy origin is served by warm connections while the others grow old."""
    pool: Pool[Link] = Pool()
    old, new = Link(A, ONE), Link(A, ONE)
    assert pool.put(old, 1.0) == []
    assert pool.put(new, 2.0) == []
    assert pool.take(A, (ONE,), 3.0) is new
    assert pool.take(A, (ONE,), 3.0) is old
    assert pool.take(A, (ONE,), 3.0) is None
    assert len(pool) == 0


def test_only_a_permitted_address() -> None:
    """After a name moved, a request does not travel to the address it had before."""
    pool: Pool[Link] = Pool()
    link = Link(A, ONE)
    pool.put(link, 0.0)
    assert pool.take(A, (TWO,), 1.0) is None
    assert pool.take(A, (TWO, ONE), 1.0) is link


def test_only_the_same_authority() -> None:
    """Two names on one address never share a connection, nor do two ports."""
    pool: Pool[Link] = Pool()
    pool.put(Link(A, ONE), 0.0)
    assert pool.take(B, (ONE,), 1.0) is None
    assert pool.take(parse_authority("a.example:81", None), (ONE,), 1.0) is None


def test_too_long_idle_is_not_reused() -> None:
    """A connection that the origin has probably given up is not tried."""
    pool: Pool[Link] = Pool(idle=60.0)
    link = Link(A, ONE)
    pool.put(link, 0.0)
    assert pool.expired(59.9) == []
    assert pool.next_expiry() == 60.0
    assert pool.take(A, (ONE,), 60.0) is None
    assert pool.expired(60.0) == [link]
    assert pool.next_expiry() is None


def test_bound_per_authority() -> None:
    """One origin cannot fill the pool; its oldest connection is closed."""
    pool: Pool[Link] = Pool(per_key=2)
    links = [Link(A, ONE) for _ in range(3)]
    assert [pool.put(link, float(n)) for n, link in enumerate(links)] == [[], [], [links[0]]]
    assert len(pool) == 2


def test_bound_in_all() -> None:
    """Many origins cannot use up the file descriptors; the oldest connection of all is closed."""
    pool: Pool[Link] = Pool(in_all=2)
    links = [Link(parse_authority(f"h{n}.example:80", None), ONE) for n in range(3)]
    assert [pool.put(link, float(n)) for n, link in enumerate(links)] == [[], [], [links[0]]]


def test_one_without_authority_is_closed() -> None:
    """Nothing that could not be found again is kept."""
    pool: Pool[Link] = Pool()
    link = Link(None, None)
    assert pool.put(link, 0.0) == [link]
    assert pool.discard(link) is False


def test_discard_and_drain() -> None:
    """A connection that closed by itself is never handed out; at the end all are given back."""
    pool: Pool[Link] = Pool()
    one, two = Link(A, ONE), Link(A, ONE)
    pool.put(one, 0.0)
    pool.put(two, 0.0)
    assert pool.discard(two) is True
    assert pool.discard(two) is False
    assert pool.drain() == [one]
    assert pool.take(A, (ONE,), 0.0) is None


@given(st.lists(st.tuples(st.sampled_from("ptdx"), st.integers(0, 3), st.integers(0, 1), st.floats(0, 20))))
def test_never_hands_out_twice(steps: list[tuple[str, int, int, float]]) -> None:
    """Whatever happens in whatever order, one connection serves one exchange, within its bounds."""
    pool: Pool[Link] = Pool(per_key=2, in_all=3, idle=30.0)
    authorities = [parse_authority(f"h{n}.example:80", None) for n in range(4)]
    now, held, out = 0.0, set(), []
    for action, host, address, passed in steps:
        now += passed
        where = (ONE, TWO)[address]
        if action == "p":
            link = out.pop() if out else Link(authorities[host], where)
            surplus = pool.put(link, now)
            held.add(link)
            held -= set(surplus)
        elif action == "t":
            got = pool.take(authorities[host], (where,), now)
            if got is not None:
                assert got in held
                assert (got.authority, got.address) == (authorities[host], where)
                assert now - got.idle_since < 30.0
                held.discard(got)
                out.append(got)
        elif action == "d" and held:
            gone = next(iter(held))
            assert pool.discard(gone)
            held.discard(gone)
        else:
            old = pool.expired(now)
            assert all(now - link.idle_since >= 30.0 for link in old)
            held -= set(old)
        assert len(pool) == len(held) <= 3
