"""Readers of a live journal know how much of it is durable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eve_proxy.audit.file import OsFile, open_file
from eve_proxy.signing.durable_end import durable_end, hold, release_to
from tests.fakes.journal import Bench, io_error


def test_moves_with_the_commits_and_ends_with_the_writer(tmp_path: Path) -> None:
    """Nothing counts before the first durable append, and everything once nobody writes."""
    path = tmp_path / "j"
    path.write_bytes(b"earlier\n")
    file = open_file(path)
    fd = os.open(path, os.O_RDONLY)
    assert durable_end(fd) == 0
    file.append(b"one\n", True)
    assert durable_end(fd) == 12
    file.append(b"two\n", False)
    assert durable_end(fd) == 16
    file.close()
    assert durable_end(fd) is None
    os.close(fd)


def test_a_line_that_is_cut_off_again_never_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit whose fsync failed is in the file until it is cut off: a reader is told to leave it, all the time."""
    closed = False

    def opener(path: Path) -> OsFile:
        if closed:
            raise io_error()
        return open_file(path)

    bench = Bench(tmp_path / "j", opener=opener)
    bench.record()
    durable = bench.path.stat().st_size
    fd = os.open(bench.path, os.O_RDONLY)

    def broken(_: object) -> None:
        assert durable_end(fd) == durable
        raise io_error()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        assert bench.record().error is not None
        for _ in range(4):
            bench.clock.advance(0.25)
            assert bench.path.stat().st_size > durable
            assert durable_end(fd) <= durable  # type: ignore[operator]
        closed = True  # the file cannot even be opened again: what failed is in it for long
        bench.clock.pump([1] * 5)
        assert bench.path.stat().st_size > durable
        assert durable_end(fd) == 0
        closed = False
    for _ in range(20):
        bench.clock.advance(1)
    assert bench.record().certificate is not None
    assert durable_end(fd) == bench.path.stat().st_size
    os.close(fd)


def test_where_there_are_no_such_locks(tmp_path: Path) -> None:
    """A file system without them, or a descriptor that is closed, is no error."""
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    os.close(fd)
    hold(fd)
    release_to(fd, 1)
    assert durable_end(fd) is None
