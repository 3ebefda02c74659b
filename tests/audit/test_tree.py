"""The tree beside the journal: it always is that of the lines in the file, through failures and restarts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.audit.file import OsFile, open_file
from eve_proxy.audit.gathering import QUIET
from eve_proxy.audit.recovery import Place, read_tail
from eve_proxy.audit.tree import Tree, tree_record
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.seal import seal
from tests.fakes.journal import Bench, FaultyFile, draft
from tests.fakes.ports import SECRET

SIGNER = HmacSigner(SECRET)


def tree_of(lines: list[bytes]) -> Frontier:
    frontier = Frontier()
    for line in lines:
        frontier.add(leaf_hash(line))
    return frontier


def taken_up(path: Path, signer: HmacSigner = SIGNER) -> Frontier | None:
    """What a restart would find."""
    file = open_file(path)
    tree = Tree()
    tree.take_up(file, read_tail(file, signer).place, signer)
    file.close()
    return tree.frontier


def fill(bench: Bench, records: int) -> None:
    for _ in range(records):
        bench.record()
        bench.clock.advance(QUIET)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "events.jsonl")


STEPS = st.lists(st.sampled_from(["record", "record", "full", "eio", "room", "wait", "reopen"]), max_size=25)


@given(STEPS)
def test_tree_is_that_of_the_file(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever the disk does in between, the last checkpoint covers exactly the lines that are in the journal."""
    bench = Bench(tmp_path_factory.mktemp("tree") / "events.jsonl")
    for step in [*steps, "room", "wait", "wait"]:
        if step == "record":
            bench.record()
        elif step == "full":
            bench.disk.room = 700
        elif step == "eio":
            bench.disk.sync_failures = 1
        elif step == "room":
            bench.disk.room, bench.disk.sync_failures = None, 0
        elif step == "wait":
            bench.clock.advance(10)
        elif bench.journal.problem is None and bench.disk.room is None and not bench.disk.sync_failures:
            bench.journal.close()
            bench.journal = bench.open()
    bench.journal.close()
    expected = tree_of(bench.lines())
    checkpoint = bench.path.with_name("events.jsonl.checkpoint").read_text().split("\n")
    assert int(checkpoint[1]) == expected.size
    found = taken_up(bench.path)
    assert found is not None
    assert (found.size, found.root()) == (expected.size, expected.root())


def test_restart_reads_what_follows_the_last_checkpoint_record(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start takes as long with a million records as with a thousand."""
    fill(bench, 1100)
    bench.journal.close()
    assert any('"kind":"checkpoint"' in line.decode() for line in bench.lines())

    def never(file: OsFile, place: Place) -> Frontier:
        raise AssertionError("the whole journal was read")

    monkeypatch.setattr("eve_proxy.audit.tree._from_the_start", never)
    found = taken_up(bench.path)
    assert found is not None
    assert found.root() == tree_of(bench.lines()).root()


def test_checkpoint_record_of_another_key_is_not_believed(bench: Bench) -> None:
    """After a change of keys the tree is read from the first line; peaks that another signed are not taken over."""
    fill(bench, 1100)
    bench.journal.close()
    other = HmacSigner(b"the next secret of the tests, as long")
    found = taken_up(bench.path, other)
    assert found is not None
    assert found.root() == tree_of(bench.lines()).root()


def test_forged_checkpoint_record_of_another_key(bench: Bench) -> None:
    """Peaks that somebody else made up and signed do not become ours."""
    fill(bench, 1100)
    bench.journal.close()
    lines = bench.lines()
    number = next(number for number, line in enumerate(lines) if b'"kind":"checkpoint"' in line)
    size = json.loads(lines[number])["record"]["size"]
    false = tree_record(Frontier(size, [bytes(32)] * size.bit_count()))
    place = LogLink(id=json.loads(lines[0])["log"]["id"], seq=number, prev=GENESIS)
    forger = HmacSigner(b"somebody else's secret, quite as long")
    made = seal(draft(1, kind="checkpoint", verdict=None, record=false, request=None), place, forger)
    lines[number] = made.line
    bench.path.write_bytes(b"\n".join(lines) + b"\n")
    found = taken_up(bench.path)
    assert found is not None
    assert found.root() == tree_of(lines).root()


def test_journal_without_its_beginning(bench: Bench, tmp_path: Path) -> None:
    """A file that goes on from another one, without a checkpoint record, has no tree; with one, it has."""
    fill(bench, 1100)
    bench.journal.close()
    lines = bench.lines()
    first = next(number for number, line in enumerate(lines) if b'"kind":"checkpoint"' in line)
    later = tmp_path / "later.jsonl"
    later.write_bytes(b"\n".join(lines[first + 1 :]) + b"\n")
    assert taken_up(later) is None
    # The record covers what stands before it: a file that begins with it lacks nothing of the tree only if it covers
    # all up to itself.
    record = json.loads(lines[first])
    later.write_bytes(b"\n".join(lines[record["record"]["size"] :]) + b"\n")
    found = taken_up(later)
    assert found is not None
    assert found.root() == tree_of(lines).root()


def test_edited_peaks_are_not_taken_over(bench: Bench) -> None:
    """A checkpoint record that was changed is passed over, and the lines themselves are read."""
    fill(bench, 1100)
    bench.journal.close()
    lines = bench.lines()
    number = next(number for number, line in enumerate(lines) if b'"kind":"checkpoint"' in line)
    peak = json.loads(lines[number])["record"]["peaks"][0].encode()
    lines[number] = lines[number].replace(peak, b"00" * 32)
    bench.path.write_bytes(b"\n".join(lines) + b"\n")
    found = taken_up(bench.path)
    assert found is not None
    assert found.root() == tree_of(lines).root()


def test_failed_append_adds_no_leaf(bench: Bench) -> None:
    """What is not durable is not in the tree."""
    tree = Tree()
    file = tree.opener(bench.disk)(bench.path)
    bench.disk.sync_failures = 1
    with pytest.raises(OSError, match="Input/output"):
        file.append(b"line\n", True)
    assert tree.frontier is not None
    assert tree.frontier.size == 0
    file = tree.opener(lambda path: FaultyFile(open_file(path), bench.disk))(bench.path)
    file.append(b"a\nb\n", True)
    assert tree.frontier.root() == tree_of([b"a", b"b"]).root()


def test_record_of_the_largest_tree_fits() -> None:
    """The peaks of any journal fit into a certificate's 4,096 bytes."""
    frontier = Frontier(2**30 - 1, [bytes(32)] * 30)
    assert len(json.dumps(tree_record(frontier))) < 2200
