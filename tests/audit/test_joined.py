"""Rotated files as one: checkpoints go on over rotations and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from eve_proxy.audit.joined import Joined
from eve_proxy.audit.recovery import Place
from eve_proxy.signing.checkpoint import SUFFIX, open_checkpoint
from eve_proxy.signing.journal_files import chains, find_journals
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.secret import Secret
from tests.fakes.journal import Bench
from tests.fakes.ports import SECRET


def rotated(path: Path) -> Bench:
    """Three files and a stopped journal."""
    bench = Bench(path)
    for number in (1, 2):
        bench.record()
        bench.record()
        path.rename(path.with_name(f"{path.name}.{number}"))
    bench.record()
    bench.journal.close()
    return bench


@pytest.mark.parametrize("length", [1, 700, 5000, 1 << 20])
def test_reads_across_the_seams(tmp_path: Path, length: int) -> None:
    """Any piece of the whole is the piece of the files laid end to end."""
    bench = rotated(tmp_path / "events.jsonl")
    place = Place(offset=bench.path.stat().st_size, last=b"", next=bench.journal.head)
    (chain,) = chains(find_journals(tmp_path))
    content = b"".join(path.read_bytes() for path in chain.paths)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Joined(bench.path, place) as whole:
        assert whole.place.offset == len(content)
        for offset in range(0, len(content) + 10, 333):
            assert whole.read(offset, length) == content[offset : offset + length]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("renamed", [False, True], ids=["in place", "rotated while stopped"])
def test_checkpoints_go_on_after_a_restart(tmp_path: Path, renamed: bool) -> None:
    """The tree covers the records of all files, also when the present one does not hold the beginning."""
    bench = rotated(tmp_path / "events.jsonl")
    if renamed:
        bench.path.rename(tmp_path / "events.jsonl.3")
    bench.journal = bench.open()
    bench.record()
    bench.journal.close()
    note = bench.path.with_name(bench.path.name + SUFFIX).read_bytes()
    checkpoint, _ = open_checkpoint(note, [Secret(SECRET)])
    (chain,) = chains(find_journals(tmp_path))
    tree = Frontier()
    for line in chain.lines():
        tree.add(leaf_hash(line.removesuffix(b"\n")))
    assert (checkpoint.size, checkpoint.root) == (tree.size, tree.root())


def test_without_what_came_before(tmp_path: Path) -> None:
    """Archived files are missing from the whole; nothing breaks, there are only no checkpoints."""
    bench = rotated(tmp_path / "events.jsonl")
    for number in (1, 2):
        (tmp_path / f"events.jsonl.{number}").unlink()
    place = Place(offset=bench.path.stat().st_size, last=b"", next=bench.journal.head)
    with Joined(bench.path, place) as whole:
        assert whole.place.offset == place.offset
    bench.open().close()
