"""Which files are one chain, in which order, whatever they are called."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eve_proxy.signing.journal_files import Chain, chains, find_journals, place_of
from eve_proxy.signing.journal_walk import Exit, walk
from eve_proxy.signing.secret import Secret
from eve_proxy.system import SystemEntropy
from tests.fakes.journal import Bench
from tests.fakes.ports import SECRET

KEYS = [Secret(SECRET)]


def journal(path: Path, decisions: int = 8) -> list[bytes]:
    bench = Bench(path, entropy=SystemEntropy())  # so that each journal has an id of its own
    for _ in range(decisions):
        bench.record()
    bench.journal.close()
    return path.read_bytes().splitlines(keepends=True)


def pieces(folder: Path, lines: list[bytes], cuts: list[int], names: list[str]) -> None:
    ends = [*cuts, len(lines)]
    for name, start, end in zip(names, [0, *cuts], ends, strict=True):
        (folder / name).write_bytes(b"".join(lines[start:end]))


def test_order_is_that_of_the_chain(tmp_path: Path) -> None:
    """Names that sort in another order, and a compressed file among them, change nothing."""
    lines = journal(tmp_path / "j.jsonl")
    pieces(tmp_path, lines, [2, 5, 6], ["j.jsonl.9", "j.jsonl.10", "a.jsonl", "j.jsonl"])
    compressed = tmp_path / "j.jsonl.9.gz"
    compressed.write_bytes(gzip.compress((tmp_path / "j.jsonl.9").read_bytes()))
    (tmp_path / "j.jsonl.9").unlink()
    (chain,) = chains(find_journals(tmp_path))
    assert [path.name for path in chain.paths] == ["j.jsonl.9.gz", "j.jsonl.10", "a.jsonl", "j.jsonl"]
    assert list(chain.lines()) == lines
    assert chain.name == f"{tmp_path / 'j.jsonl'} and 3 before it"


def test_several_logs_and_what_is_none(tmp_path: Path) -> None:
    """Each log is a chain; damaged and foreign files stand alone; locks and empty files are left out."""
    (tmp_path / "deeper").mkdir()
    journal(tmp_path / "deeper" / "j.1.jsonl")
    lines = journal(tmp_path / "j.jsonl")
    (tmp_path / "j.jsonl.damaged-2026").write_bytes(b"".join(lines))
    (tmp_path / "foreign.jsonl").write_bytes(b"{}\n")
    for name in ("j.jsonl.lock", "j.jsonl.checkpoint", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.jsonl").touch()
    found = chains(find_journals(tmp_path))
    assert [chain.name.removeprefix(f"{tmp_path}/") for chain in found] == [
        "deeper/j.1.jsonl",
        "foreign.jsonl",
        "j.jsonl",
        "j.jsonl.damaged-2026",
    ]
    assert [chain.log_id is None for chain in found] == [False, True, False, True]


def test_lines_know_their_file(tmp_path: Path) -> None:
    """A fault in line 7 of the chain is told as line 2 of the file that has it."""
    lines = journal(tmp_path / "j.jsonl")
    pieces(tmp_path, lines, [3, 5], ["j.jsonl.2", "j.jsonl.1", "j.jsonl"])
    (chain,) = chains(find_journals(tmp_path))
    walked = chain.lines()
    list(walked)
    assert walked.place(1) == (tmp_path / "j.jsonl.2", 1)
    assert walked.place(5) == (tmp_path / "j.jsonl.1", 2)
    assert walked.place(7) == (tmp_path / "j.jsonl", 2)


def test_a_line_torn_in_the_middle_of_the_chain(tmp_path: Path) -> None:
    """Only the last file may end within a line: elsewhere something is missing, and the walk says so."""
    lines = journal(tmp_path / "j.jsonl")
    pieces(tmp_path, lines, [4], ["j.jsonl.1", "j.jsonl"])
    torn = tmp_path / "j.jsonl.1"
    torn.write_bytes(torn.read_bytes()[:-5])
    (chain,) = chains(find_journals(tmp_path))
    report = walk(chain.lines(), KEYS)
    assert (report.exit, report.line) == (Exit.TAMPERED, 4)
    last = tmp_path / "j.jsonl"
    torn.write_bytes(b"".join(lines[:4]))
    last.write_bytes(last.read_bytes()[:-5])
    assert walk(chain.lines(), KEYS).exit is Exit.UNPROVEN


def test_place_of_a_line(tmp_path: Path) -> None:
    """What is no record has no place."""
    line = journal(tmp_path / "j.jsonl")[3]
    place = place_of(line)
    assert place is not None
    assert place[1] == 3
    assert place_of(line[:-10]) is None
    assert place_of(b"") is None


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    folder = tmp_path_factory.mktemp("ten")
    return folder, journal(folder / "j.jsonl")


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(1, 9), unique=True, min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_any_split_is_whole_and_any_lost_file_is_not(
    ten: tuple[Path, list[bytes]], cuts: list[int], seed: int, data: st.DataObject
) -> None:
    """However a journal is cut into files and named, it verifies; without one of them it never does."""
    folder, lines = ten
    for path in folder.iterdir():
        path.unlink()
    names = [f"x{number}.jsonl" for number in range(len(cuts) + 1)]
    random.Random(seed).shuffle(names)
    pieces(folder, lines, sorted(cuts), names)
    (chain,) = chains(find_journals(folder))
    assert walk(chain.lines(), KEYS).exit is Exit.WHOLE
    lost = data.draw(st.sampled_from(names))
    (folder / lost).unlink()
    reports = [walk(chain.lines(), KEYS).exit for chain in chains(find_journals(folder))]
    assert Exit.WHOLE not in reports


def test_a_chain_of_one(tmp_path: Path) -> None:
    """A single file is called by its name."""
    assert Chain(log_id=None, paths=(tmp_path / "j",)).name == str(tmp_path / "j")
