"""Walking a large journal in stretches: the same answers as line by line, whatever is wrong and wherever it is cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.checkpoint import checkpoint_of
from eve_proxy.signing.journal_walk import Exit, read_lines, walk
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.outside import CheckpointSource
from eve_proxy.signing.parallel_walk import examine, processes, trust, walk_file
from eve_proxy.signing.verification import keys_from
from tests.fakes.ports import SECRET
from tests.signing.test_journal_walk import GOOD, KEYS, OTHER, journal
from tests.signing.test_vectors import MANIFEST, VECTORS, content, name_of

SIZES = [1, 1500, 4000, 1 << 20]


class Inline(Executor):
    """A pool that runs everything at once in this process, or dies at the ``dies_at``-th call and takes no more."""

    def __init__(self, dies_at: int = -1) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.dies_at = dies_at

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if 0 <= self.dies_at < len(self.calls):
            raise BrokenProcessPool
        if len(self.calls) == self.dies_at:
            future.set_exception(BrokenProcessPool())
        else:
            future.set_result(function(*args, **named))
        self.calls.append(args)
        return future


@pytest.fixture(autouse=True)
def trusting() -> Iterator[None]:
    trust([SECRET])
    yield
    trust([])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", MANIFEST["journals"], ids=name_of)
def test_every_vector_is_answered_alike(case: dict[str, Any], size: int) -> None:
    """How many cores a machine has does not change what an auditor is told."""
    material = [content(key) for key in case["keys"]]
    trust(material)
    path, external = VECTORS / case["file"], case["require_external"]
    keys = keys_from(material)
    with path.open("rb") as stream:
        expected = walk(read_lines(stream), keys, require_external=external)
    assert walk_file(path, keys, Inline(), ahead=2, size=size, require_external=external) == expected


@given(st.data())
def test_any_change_is_answered_alike(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Edits, drops, swaps, insertions and cuts get the same report with stretches of any size."""
    draw = data.draw
    trust([SECRET])
    lines = journal(draw(st.lists(st.sampled_from(["decision", "void", "session_open"]), min_size=1, max_size=9)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        other = draw(st.sampled_from([*lines, *journal(secret=OTHER), b"x" * 5000 + b"\n", b"\n", b"torn"]))
        lines[at : at + draw(st.integers(0, 1))] = [other] if draw(st.booleans()) else []
        if not lines:
            break
    path = tmp_path_factory.getbasetemp() / "changed.jsonl"
    path.write_bytes(b"".join(lines)[: draw(st.none() | st.integers(0, 4000))])
    with path.open("rb") as stream:
        expected = walk(read_lines(stream), KEYS)
    size = draw(st.sampled_from(SIZES) | st.integers(1, 5000))
    assert walk_file(path, KEYS, Inline(), ahead=draw(st.integers(1, 3)), size=size) == expected


def test_whole_journal_needs_no_second_look(tmp_path: Path) -> None:
    """Every line is examined by the pool, none of a whole journal again by the process that waits."""
    path = tmp_path / "good.jsonl"
    path.write_bytes(b"".join(GOOD))
    pool, steps = Inline(), []
    assert walk_file(path, KEYS, pool, ahead=3, size=2000, advance=steps.append).exit is Exit.WHOLE
    assert [call[1:3] for call in pool.calls] == [(start, end) for start, end in _neighbours(steps)]
    assert len(steps) > 1
    assert sum(steps) == path.stat().st_size


def _neighbours(steps: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for step in steps:
        yield start, start + step
        start += step


def test_bar_reaches_the_end_when_something_is_wrong(tmp_path: Path) -> None:
    """The progress counts what was examined, also where the pool gave up."""
    path = tmp_path / "truncated.jsonl"
    path.write_bytes(b"".join(GOOD[:-1])[:-1])
    steps: list[int] = []
    assert walk_file(path, KEYS, Inline(), ahead=3, size=2000, advance=steps.append).exit is Exit.UNPROVEN
    assert sum(steps) == path.stat().st_size


@pytest.mark.parametrize("ahead", [1, 2, 9])
@pytest.mark.parametrize("dies_at", [0, 1, 2])
def test_a_process_that_is_killed_proves_nothing(tmp_path: Path, dies_at: int, ahead: int) -> None:
    """Want of memory in a helper is not taken for tampering: this process examines the rest itself."""
    path = tmp_path / "good.jsonl"
    path.write_bytes(b"".join(GOOD))
    assert walk_file(path, KEYS, Inline(dies_at), ahead=ahead, size=1000).exit is Exit.WHOLE


@pytest.mark.parametrize("size", [1, 1500, 4000, 1 << 20])
@pytest.mark.parametrize("covered", range(1, 9))
@pytest.mark.parametrize("other_root", [False, True])
def test_checkpoints_are_answered_alike(tmp_path: Path, size: int, covered: int, other_root: bool) -> None:
    """A checkpoint that ends anywhere, right or wrong, gives the same report as line by line."""
    path = tmp_path / "good.jsonl"
    path.write_bytes(b"".join(GOOD))
    frontier = Frontier()
    for line in GOOD[:covered]:
        frontier.add(leaf_hash(line[:-1]))
    root = b"\0" * 32 if other_root else frontier.root()
    checkpoint = checkpoint_of("log_1", covered, root)
    expected = walk(iter(GOOD), KEYS, outside=[CheckpointSource(checkpoint, external=True)])
    outside = [CheckpointSource(checkpoint, external=True)]
    assert walk_file(path, KEYS, Inline(), ahead=2, size=size, outside=outside) == expected
    assert (expected.fault == "rewritten") is (other_root and covered <= len(GOOD))


def test_a_process_without_the_keys_accepts_nothing(tmp_path: Path) -> None:
    """A stretch is good only when its signatures are."""
    path = tmp_path / "good.jsonl"
    path.write_bytes(b"".join(GOOD))
    trust([OTHER])
    assert examine(path, 0, path.stat().st_size, False) is None
    trust([SECRET])
    assert examine(path, 0, path.stat().st_size, False) is not None


def test_real_processes(tmp_path: Path) -> None:
    """The pool's processes get the keys, and their answers come back in order."""
    path = tmp_path / "good.jsonl"
    path.write_bytes(b"".join(GOOD))
    with processes([SECRET], 2) as pool:
        report = walk_file(path, KEYS, pool, ahead=4, size=1500)
        path.write_bytes(b"".join([*GOOD[:5], *GOOD[6:]]))
        dropped = walk_file(path, KEYS, pool, ahead=4, size=1500)
    assert (report.exit, report.records) == (Exit.WHOLE, 7)
    assert (dropped.exit, dropped.fault, dropped.line) == (Exit.TAMPERED, "dropped", 6)
    assert json.dumps(report.kinds) == json.dumps(walk(iter(GOOD), KEYS).kinds)
