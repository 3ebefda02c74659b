"""A journal that goes on in another file: renamed by others, or by size; nothing is lost and the chain is one."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eve_proxy.audit.file import open_file
from eve_proxy.audit.rotation import FileRotation, NewFileDue, PathTaken, aside
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.signing.journal_files import chains, find_journals
from eve_proxy.signing.journal_walk import Exit, Report, walk
from eve_proxy.signing.secret import Secret
from tests.fakes.journal import Bench, JournalClock
from tests.fakes.ports import SECRET


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "events.jsonl")


def examine(folder: Path) -> Report:
    """The verdict on all files of a folder, which are one chain."""
    (chain,) = chains(find_journals(folder))
    return walk(chain.lines(), [Secret(SECRET)])


def kinds(path: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in path.read_bytes().splitlines()]


def rename(bench: Bench, suffix: str = ".1") -> Path:
    return bench.path.rename(bench.path.with_name(bench.path.name + suffix))


def test_the_record_after_a_rename_begins_a_file_and_continues_the_chain(bench: Bench) -> None:
    """logrotate renames; the next record is in a new file of its own and names the last one of the old file."""
    before = bench.record().certificate
    old = rename(bench)
    after = bench.record().certificate
    assert before is not None and after is not None  # noqa: PT018
    assert old.read_bytes().splitlines()[-1] == before.line
    assert bench.lines() == [after.line]
    assert after.log is not None and after.log.prev == before.content_hash  # noqa: PT018
    assert os.stat(bench.path).st_mode & 0o777 == 0o600
    bench.journal.close()
    assert examine(bench.path.parent).exit is Exit.WHOLE


def test_a_file_that_logrotate_made_is_used(bench: Bench) -> None:
    """With logrotate's ``create`` an empty file stands there already, with the mode that it was given."""
    rename(bench)
    bench.path.touch(mode=0o640)
    inode = bench.path.stat().st_ino
    bench.record()
    assert kinds(bench.path) == ["decision"]
    assert bench.path.stat().st_ino == inode


def test_a_foreign_file_at_the_path_is_left_alone(bench: Bench) -> None:
    """Nothing is appended to somebody else's file: the renamed one goes on, and a warning stands until it is gone."""
    old = rename(bench)
    bench.path.write_bytes(b"notes\n")
    assert bench.record().certificate is not None
    assert bench.journal.warnings == ("journal displaced: another file stands at the journal's path",)
    bench.path.unlink()
    assert bench.record().certificate is not None
    assert bench.journal.warnings == ()
    assert (kinds(old), kinds(bench.path)) == (["session_open", "decision"], ["decision"])


def test_a_new_file_that_cannot_be_made_costs_nothing(bench: Bench) -> None:
    """No inode left: records go on into the renamed file, and into a new one as soon as there can be one."""
    old = rename(bench)
    bench.disk.open_failures = 1
    assert bench.record().certificate is not None
    assert kinds(old) == ["session_open", "decision"]
    assert bench.journal.problem is None
    assert "journal displaced: Input/output error" in bench.journal.warnings
    bench.record()
    assert kinds(bench.path) == ["decision"]


@pytest.mark.parametrize("room", [0, 100])
def test_a_failed_first_write_is_repaired_in_the_new_file(bench: Bench, room: int) -> None:
    """The disk is full right after the rotation: refused, cut back, healed; the old file is not touched."""
    old = rename(bench)
    content = old.read_bytes()
    bench.disk.room = room
    outcome = bench.record()
    assert isinstance(outcome.error, JournalUnavailable)
    bench.disk.room = None
    bench.clock.pump([0, 0.25, 0.5])
    bench.record()
    bench.journal.close()
    assert old.read_bytes() == content
    assert kinds(bench.path) == ["recovered", "decision", "session_close"]
    assert examine(bench.path.parent).exit is Exit.WHOLE


def test_renamed_while_it_cannot_be_written(bench: Bench) -> None:
    """A full disk is when people rotate logs: the outage ends all the same, and nothing durable is lost."""
    bench.record()
    bench.disk.sync_failures = 1
    bench.record()
    old = rename(bench)
    bench.clock.pump([0, 0.25, 0.5])
    assert bench.journal.problem is None
    bench.record()
    bench.journal.close()
    assert kinds(old) == ["session_open", "decision"]
    assert kinds(bench.path) == ["recovered", "decision", "session_close"]
    assert examine(bench.path.parent).exit is Exit.WHOLE


def test_renamed_while_commits_wait(bench: Bench) -> None:
    """A rename between handing over and writing: what was handed over goes together into the new file."""
    bench.thread.held = True
    outcomes = [bench.record() for _ in range(3)]
    rename(bench)
    bench.thread.release()
    for _ in range(10):
        bench.clock.advance(0.01)
    assert all(outcome.certificate for outcome in outcomes)
    assert kinds(bench.path) == ["decision"] * 3


def test_by_size_files_are_renamed_by_time(tmp_path: Path) -> None:
    """EVE_PROXY_AUDIT_ROTATE_BYTES: no file grows beyond it by more than one commit, and none is overwritten."""
    bench = Bench(tmp_path / "events.jsonl", rotate_bytes=3000)
    for _ in range(20):
        bench.record()
    bench.journal.close()
    rotated = sorted(tmp_path.glob("events.jsonl.rotated-*"))
    assert len(rotated) > 4
    assert rotated[0].name == "events.jsonl.rotated-20260416T140223847Z"
    assert all(3000 <= path.stat().st_size < 3000 + 4097 for path in rotated)
    report = examine(tmp_path)
    assert (report.exit, report.records) == (Exit.WHOLE, 22)


def test_a_restart_goes_on_by_size(tmp_path: Path) -> None:
    """A session that finds a file that is large enough already begins the next one."""
    first = Bench(tmp_path / "events.jsonl")
    for _ in range(9):
        first.record()
    first.journal.close()
    second = Bench(tmp_path / "events.jsonl", rotate_bytes=3000)
    second.record()
    second.journal.close()
    assert len(chains(find_journals(tmp_path))[0].paths) == 2
    assert examine(tmp_path).exit is Exit.WHOLE


STEPS = st.lists(st.sampled_from(["record", "rename", "restart", "killed", "fault"]), max_size=25)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, rotate=st.sampled_from([0, 2500]))
def test_whatever_happens_every_answered_record_is_in_one_chain(
    steps: list[str], rotate: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Renames, restarts, kills and disk faults in any order: each certified record is there once, in a whole chain."""
    folder = tmp_path_factory.mktemp("journal")
    bench = Bench(folder / "events.jsonl", rotate_bytes=rotate)
    lines: list[bytes] = []
    for number, step in enumerate([*steps, "record"]):
        if step == "record":
            outcome = bench.record()
            assert outcome.certificate is not None
            lines.append(outcome.certificate.line)
        elif step == "rename" and bench.path.exists():
            bench.path.rename(bench.path.with_name(f"{bench.path.name}.{number}"))
        elif step == "restart":
            bench.journal.close()
            bench.journal = bench.open()
        elif step == "killed":
            bench.journal._lock.release()
            bench.journal = bench.open()
        elif step == "fault":
            bench.disk.sync_failures = 1
            assert bench.record().error is not None
            bench.clock.pump([0, 0.25, 0.5])
    bench.journal.close()
    (chain,) = chains(find_journals(folder))
    written = [line.removesuffix(b"\n") for line in chain.lines()]
    assert [line for line in written if line in set(lines)] == lines
    assert walk(chain.lines(), [Secret(SECRET)]).exit is Exit.WHOLE


def test_due_when_the_path_leads_elsewhere_or_the_file_is_large(tmp_path: Path) -> None:
    """One look before each commit; a directory that cannot be looked into keeps the file."""
    path = tmp_path / "j"
    file = open_file(path)
    by_name = FileRotation(path=path, opener=open_file, clock=JournalClock())
    by_size = FileRotation(path=path, opener=open_file, clock=JournalClock(), largest=100)
    assert not by_name.due(file.identity(), 1 << 40)
    assert not by_size.due(file.identity(), 99)
    assert by_size.due(file.identity(), 100)
    with pytest.raises(NewFileDue):
        by_size.append(file, file.identity(), 100, b"x\n", True)
    path.rename(tmp_path / "k")
    assert by_name.due(file.identity(), 0)
    path.touch()
    assert by_name.due(file.identity(), 0)
    unknown = FileRotation(path=tmp_path / ("n" * 300), opener=open_file, clock=JournalClock())
    with pytest.raises(OSError, match="too long") as caught:
        os.stat(unknown.path)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert not unknown.due(file.identity(), 0)


def test_next_file_leaks_no_descriptor_where_it_fails(tmp_path: Path) -> None:
    """Trying with each commit for hours must not use the descriptors up."""
    path = tmp_path / "j"
    file = open_file(path)
    path.rename(tmp_path / "k")
    path.write_bytes(b"not ours\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(PathTaken):
        FileRotation(path=path, opener=open_file, clock=JournalClock()).next_file(file.identity())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_aside_never_overwrites(tmp_path: Path) -> None:
    """Two rotations in one millisecond get two names."""
    names = []
    for _ in range(3):
        free = aside(tmp_path / "j", "rotated", JournalClock())
        free.touch()
        names.append(free.name)
    assert names == [f"j.rotated-20260416T140223847Z{end}" for end in ("", "-2", "-3")]
