"""The file: its system calls, one by one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from eve_proxy.audit import file as module
from eve_proxy.audit.file import OsFile, create_file, make_directories, open_file


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OsFile]:
    opened = open_file(tmp_path / "events.jsonl")
    yield opened
    opened.close()


def test_new_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Other users of the machine cannot read what was decided, whatever the umask is."""
    path = tmp_path / "a" / "b" / "events.jsonl"
    old = os.umask(0)
    try:
        make_directories(path.parent)
        open_file(path).close()
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_mode_of_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    """An operator who lets auditors read the journal is not overruled."""
    path = tmp_path / "events.jsonl"
    path.touch()
    path.chmod(0o640)
    open_file(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_of_ones_own_is_never_somebody_elses(tmp_path: Path) -> None:
    """A library process makes its journal or fails: it shares none."""
    path = tmp_path / "events.jsonl"
    create_file(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        create_file(path)


def test_append_read_cut(file: OsFile) -> None:
    """Lines go to the end, and what is cut is gone."""
    file.append(b"one\ntwo\n", True)
    file.append(b"three\n", False)
    assert file.read(4, 3) == b"two"
    assert file.read(8, 100) == b"three\n"
    file.cut(8)
    assert file.size() == 8
    file.append(b"four\n", True)
    assert file.read(0, 100) == b"one\ntwo\nfour\n"


def test_short_writes_are_continued(file: OsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes three bytes at a time still gets the whole line, once."""
    write = os.write
    monkeypatch.setattr(module.os, "write", lambda fd, data: write(fd, bytes(data[:3])))
    file.append(b"a line of some length\n", True)
    assert file.read(0, 100) == b"a line of some length\n"


def test_error_after_a_short_write_is_raised(file: OsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle of a line is not mistaken for success."""
    write = os.write
    calls: list[int] = []

    def fill_up(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "full")
        return write(fd, bytes(data[:3]))

    monkeypatch.setattr(module.os, "write", fill_up)
    with pytest.raises(OSError, match="full"):
        file.append(b"a line\n", True)
    assert file.size() == 3


@pytest.mark.parametrize(("durable", "calls"), [(True, ["write", "fdatasync"]), (False, ["write"])])
def test_append_returns_after_the_sync(
    file: OsFile, monkeypatch: pytest.MonkeyPatch, durable: bool, calls: list[str]
) -> None:
    """A durable append is one write and one fdatasync, in that order."""
    seen: list[str] = []
    for name in ("write", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(module.os, name, lambda *args, n=name, r=real: (seen.append(n), r(*args))[1])
    file.append(b"x\n", durable)
    assert seen == calls


def test_failed_sync_is_raised(file: OsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """An I/O error of the device is never swallowed."""

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(module.os, "fdatasync", fail)
    with pytest.raises(OSError, match="broken"):
        file.append(b"x\n", True)


def test_identity_follows_the_file(tmp_path: Path, file: OsFile) -> None:
    """A file that was replaced under the same name is another one."""
    path = tmp_path / "events.jsonl"
    again = open_file(path)
    assert again.identity() == file.identity()
    again.close()
    path.rename(tmp_path / "elsewhere")
    other = open_file(path)
    assert other.identity() != file.identity()
    other.close()


def test_closed_file_fails_cleanly(file: OsFile) -> None:
    """After closing, nothing is written into whatever descriptor came to have the number."""
    file.close()
    file.close()
    with pytest.raises(OSError):
        file.append(b"x", False)


def test_free_space(file: OsFile) -> None:
    """The numbers are those of the file system."""
    space = file.free_space()
    assert 0 <= space.free <= space.total


def test_new_entry_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a new journal survives a power failure, not only its bytes."""
    synced: list[Path] = []
    monkeypatch.setattr(module, "sync_directory", synced.append)
    open_file(tmp_path / "events.jsonl").close()
    open_file(tmp_path / "events.jsonl").close()
    assert synced == [tmp_path]
