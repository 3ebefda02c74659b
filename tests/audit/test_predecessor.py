"""A daemon that finds its journal rotated away goes on with the chain of the rotated file."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.audit.file import open_file
from eve_proxy.audit.predecessor import PredecessorDamaged, predecessor, rotated_files
from eve_proxy.signing.journal_files import chains, find_journals
from eve_proxy.signing.journal_walk import Exit, Report, walk
from eve_proxy.signing.secret import Secret
from tests.fakes.journal import Bench
from tests.fakes.ports import SECRET

NAME = "events.jsonl"


def stopped(path: Path, decisions: int = 1, *, killed: bool = False) -> Bench:
    bench = Bench(path)
    for _ in range(decisions):
        bench.record()
    if killed:
        bench.journal._lock.release()
    else:
        bench.journal.close()
    return bench


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def examine(folder: Path) -> list[Report]:
    return [walk(chain.lines(), [Secret(SECRET)]) for chain in chains(find_journals(folder))]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("name", [f"{NAME}.1", f"{NAME}-20261124", "events-20261124.jsonl", f"{NAME}.rotated-2026"])
@pytest.mark.parametrize("created", [False, True], ids=["missing", "empty"])
def test_rotated_while_nobody_wrote(tmp_path: Path, name: str, killed: bool, created: bool) -> None:
    """logrotate ran between two sessions: the next one continues the same chain in a new file."""
    bench = stopped(tmp_path / NAME, killed=killed)
    bench.path.rename(tmp_path / name)
    if created:
        bench.path.touch()
    bench.open().close()
    assert records(bench.path)[0]["log"]["seq"] == len(records(tmp_path / name))
    assert [report.exit for report in examine(tmp_path)] == [Exit.WHOLE]


def test_the_last_of_many_is_continued(tmp_path: Path) -> None:
    """Among all rotated files it is the one with the highest number, whatever names and clocks say."""
    path = tmp_path / NAME
    bench = stopped(path)
    for number in (3, 1, 2):
        path.rename(path.with_name(f"{NAME}.{number}"))
        bench.clock.rightNow -= 3600  # somebody sets the clock back
        journal = bench.open()
        journal.close()
    path.rename(path.with_name(f"{NAME}.0"))
    bench.open().close()
    assert records(path)[0]["log"]["seq"] == 3 + 4 * 2 - 2
    (report,) = examine(tmp_path)
    assert (report.exit, report.records) == (Exit.WHOLE, 11)


def test_one_record_after_the_rotation(tmp_path: Path) -> None:
    """Killed right after a rotation, and the old file is archived already: its one record is continued."""
    bench = Bench(tmp_path / NAME)
    bench.record()
    archived = bench.path.rename(tmp_path / f"{NAME}.1").read_bytes()
    bench.record()
    bench.journal._lock.release()
    (tmp_path / f"{NAME}.1").unlink()
    bench.open().close()
    assert [record["log"]["seq"] for record in records(bench.path)] == [2, 3, 4]
    assert not list(tmp_path.glob("*.damaged-*"))
    (tmp_path / f"{NAME}.1").write_bytes(archived)
    assert [report.exit for report in examine(tmp_path)] == [Exit.WHOLE]


def test_a_torn_line_at_the_end_of_the_rotated_file(tmp_path: Path) -> None:
    """Killed while writing, then rotated: the half line is cut off there, and a record in the new file says so."""
    bench = stopped(tmp_path / NAME, killed=True)
    torn = b'{"certificate_id":"cert_00'
    with bench.path.open("ab") as stream:
        stream.write(torn)
    old = bench.path.rename(tmp_path / f"{NAME}.1")
    bench.open().close()
    assert old.read_bytes().endswith(b"}\n")
    recovered = records(bench.path)[1]
    assert recovered["kind"] == "recovered"
    assert recovered["record"]["sha256"] == hashlib.sha256(torn).hexdigest()
    assert [report.exit for report in examine(tmp_path)] == [Exit.WHOLE]


def test_a_damaged_rotated_file_is_not_continued_silently(tmp_path: Path) -> None:
    """When a rotated file was changed nobody knows what came last: a new log begins and vouches for its digest."""
    bench = stopped(tmp_path / NAME)
    old = bench.path.rename(tmp_path / f"{NAME}.1")
    old.write_bytes(old.read_bytes()[:-20] + b"x" * 19 + b"\n")
    bench.open().close()
    opened = records(bench.path)[0]
    assert opened["log"]["seq"] == 0
    assert opened["record"]["damaged_file"] == old.name
    assert opened["record"]["damaged_sha256"] == hashlib.sha256(old.read_bytes()).hexdigest()


def test_what_is_no_rotated_file(tmp_path: Path) -> None:
    """Workers' and programs' journals, locks, damaged and compressed files are not continued."""
    path = tmp_path / NAME
    others = [
        "events.1.jsonl", "events.lib-7-abc.jsonl", f"{NAME}.lock", f"{NAME}.checkpoint", f"{NAME}.damaged-2026",
        f"{NAME}.1.gz", "other.jsonl.1", NAME,
    ]  # fmt: skip
    for name in [*others, f"{NAME}.1"]:
        (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    (tmp_path / f"{NAME}.d").mkdir()
    assert [found.name for found in rotated_files(path)] == [f"{NAME}.1"]
    assert predecessor(path, open_file, Secret(SECRET)) is None


def test_descriptors_of_those_that_are_not_continued_are_closed(tmp_path: Path) -> None:
    """A year of rotated files is looked through without running out of descriptors."""
    bench = stopped(tmp_path / NAME)
    content = bench.path.read_bytes()
    for number in range(5):
        (tmp_path / f"{NAME}.{number}").write_bytes(content)
    before = len(list(Path("/proc/self/fd").iterdir()))
    found = predecessor(bench.path, open_file, Secret(SECRET))
    assert found is not None
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    found[0].close()
    (tmp_path / f"{NAME}.9").write_bytes(b"garbage\n")
    with pytest.raises(PredecessorDamaged):
        predecessor(bench.path, open_file, Secret(SECRET))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
