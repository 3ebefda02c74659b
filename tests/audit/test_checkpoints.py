"""When a journal is checkpointed, and that nothing ever waits for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.audit.checkpoint_file import CheckpointFile
from eve_proxy.audit.gathering import QUIET
from eve_proxy.signing.checkpoint import Checkpoint, open_checkpoint
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, read_lines, walk
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.verification import keys_from
from tests.fakes.journal import Bench
from tests.fakes.ports import SECRET


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "events.jsonl")


def checkpoint(bench: Bench) -> Checkpoint:
    data = bench.path.with_name("events.jsonl.checkpoint").read_bytes()
    return open_checkpoint(data, [HmacSigner(SECRET)])[0]


def checkpoint_records(bench: Bench) -> list[dict[str, Any]]:
    return [record for line in bench.lines() if (record := json.loads(line))["kind"] == "checkpoint"]


def root_of(lines: list[bytes]) -> bytes:
    frontier = Frontier()
    for line in lines:
        frontier.add(leaf_hash(line))
    return frontier.root()


def fill(bench: Bench, records: int) -> None:
    for _ in range(records):
        bench.record()
        bench.clock.advance(QUIET)


def test_after_a_thousand_records(bench: Bench) -> None:
    """A busy journal is checkpointed by its length: the file and the record say the same of its first lines."""
    fill(bench, 998)
    assert checkpoint_records(bench) == []
    fill(bench, 10)
    (record,) = checkpoint_records(bench)
    said = checkpoint(bench)
    assert said.size == record["record"]["size"] == record["log"]["seq"] == 1001
    assert record["record"]["root"] == "sha256-" + said.root.hex()
    assert said.root == root_of(bench.lines()[: said.size])


def test_after_a_minute(bench: Bench) -> None:
    """A quiet one by the clock; one in which nothing happens gets no more of them."""
    bench.record()
    bench.clock.advance(60)
    assert checkpoint(bench).size == 2
    for _ in range(5):
        bench.clock.advance(60)
    assert len(checkpoint_records(bench)) == 1
    bench.record()
    bench.clock.advance(60)
    assert [record["record"]["size"] for record in checkpoint_records(bench)] == [2, 4]


def test_at_the_end(bench: Bench) -> None:
    """The last checkpoint covers session_close: nothing can be cut off behind it unseen."""
    fill(bench, 3)
    bench.journal.close()
    assert checkpoint(bench).size == len(bench.lines()) == 5
    assert checkpoint(bench).root == root_of(bench.lines())
    with bench.path.open("rb") as stream:
        assert walk(read_lines(stream), keys_from(SECRET)).exit is Exit.WHOLE


def test_nobody_waits_for_it(bench: Bench) -> None:
    """While a checkpoint hangs in the disk, no other is begun, and records are only as late as the disk is."""
    bench.record()
    bench.thread.held = True
    bench.clock.advance(60)
    bench.clock.advance(60)
    assert len(bench.thread.jobs) == 1
    outcome = bench.record()
    bench.thread.run()
    bench.thread.run()
    assert outcome.certificate is not None


def test_a_checkpoint_that_cannot_be_written_stops_nothing(bench: Bench) -> None:
    """The journal goes on, and the next checkpoint is tried when it would be due."""
    obstacle = bench.path.with_name("events.jsonl.checkpoint.new")
    obstacle.mkdir()
    bench.record()
    bench.clock.advance(60)
    assert (bench.journal.problem, checkpoint_records(bench)) == (None, [])
    obstacle.rmdir()
    bench.record()
    bench.clock.advance(60)
    assert checkpoint(bench).size == 3


def test_a_failure_is_not_repeated_with_every_record(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written costs one attempt per thousand records."""
    attempts: list[int] = []

    def refuse(file: CheckpointFile) -> None:
        attempts.append(1)
        raise PermissionError("no")

    monkeypatch.setattr(CheckpointFile, "write", refuse)
    fill(bench, 1010)
    assert len(attempts) == 1
    fill(bench, 1000)
    assert len(attempts) == 2


def test_a_journal_without_a_beginning_costs_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no tree to be had, the committer is asked for it once in a thousand records, not at each."""
    asked: list[int] = []

    def unknown(self: CheckpointFile) -> None:
        asked.append(bench.journal.durable_head.seq)

    monkeypatch.setattr(CheckpointFile, "write", unknown)
    fill(bench, 1500)
    assert len(asked) == 1
    fill(bench, 1000)
    assert len(asked) == 2


def test_a_stop_does_not_wait_for_a_disk_that_hangs(bench: Bench) -> None:
    """The session is closed when its last record is durable; a checkpoint gets a second more."""
    ended: list[object] = []
    bench.thread.held = True
    bench.journal.close().addBoth(ended.append)
    bench.thread.run()
    assert ended == []
    bench.clock.advance(1.0)
    assert ended == [None]


def test_closed_journal_leaves_no_timer(bench: Bench) -> None:
    """The process can end."""
    bench.journal.close()
    assert bench.clock.getDelayedCalls() == []
