"""The journal's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from eve_proxy.audit.file import FreeSpace
from eve_proxy.counting import BOUNDS
from tests.fakes.journal import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "journal.jsonl")


def test_batches_records_and_bytes(bench: Bench) -> None:
    """As much as the file has grown, in as many batches as were written; what was there before does not count."""
    before = bench.path.stat().st_size
    counts = bench.journal.counts
    assert (counts.records, counts.size, counts.sequence) == (0, 0, 1)
    bench.thread.held = True
    for _ in range(4):
        bench.record()
    bench.clock.advance(0.2)
    bench.thread.release()
    assert counts.records == 4
    assert counts.sequence == 5
    assert counts.size == bench.path.stat().st_size - before
    assert counts.appends.cumulative[-1] == 2  # the first alone, then those that waited
    assert counts.appends.cumulative[BOUNDS.index(0.1)] == 1  # the second was written at once
    assert round(counts.appends.sum, 3) == 0.2


def test_the_age_of_the_head(bench: Bench) -> None:
    """It begins anew whenever a record becomes durable, and not while nothing does."""
    counts, now = bench.journal.counts, bench.clock.monotonic
    bench.clock.advance(70)
    assert now() - counts.landed_at == 70
    bench.thread.held = True
    bench.record()
    bench.clock.advance(1)
    assert now() - counts.landed_at == 71
    bench.thread.release()
    assert now() - counts.landed_at == 0


def test_rotation_is_no_loss(tmp_path: Path) -> None:
    """Bytes go on being counted when the journal goes on in another file."""
    bench = Bench(tmp_path / "journal.jsonl")
    bench.record()
    sizes = bench.path.stat().st_size
    opened = len(bench.lines()[0]) + 1
    bench.path.rename(tmp_path / "older.jsonl")
    bench.record()
    assert bench.journal.counts.size == sizes - opened + bench.path.stat().st_size
    assert bench.journal.counts.records == 2


def test_broken_and_stalled(bench: Bench) -> None:
    """A write that fails and one that hangs are told apart."""
    counts = bench.journal.counts
    bench.disk.room = 0
    bench.record()
    assert (counts.broken, counts.stalled) == (1, 0)
    bench.disk.room = None
    bench.clock.advance(10)
    assert bench.journal.problem is None
    bench.thread.held = True
    bench.record()
    bench.clock.advance(6)
    assert (counts.broken, counts.stalled) == (1, 1)
    bench.thread.release()


def test_space(bench: Bench) -> None:
    """What was measured last is there without asking the disk."""
    bench.disk.space = FreeSpace(free=7, total=100)
    bench.clock.advance(6)
    bench.record()
    assert bench.journal.counts.space == FreeSpace(free=7, total=100)


def test_the_key_that_signs(bench: Bench) -> None:
    """Its id and algorithm, as in the certificates."""
    outcome = bench.record()
    assert outcome.certificate is not None
    written = outcome.certificate.to_dict()
    assert bench.journal.counts.key == (written["key_id"], written["algorithm"])


@pytest.mark.parametrize(("sync", "durable"), [("batch", True), ("off", False)])
def test_sync(tmp_path: Path, sync: str, durable: bool) -> None:
    """EVE_PROXY_AUDIT_SYNC=off can be seen."""
    assert Bench(tmp_path / "journal.jsonl", sync=sync).journal.counts.durable is durable
