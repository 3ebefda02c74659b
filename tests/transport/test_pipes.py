"""Pipes are lent, bounded and never passed on with somebody's bytes inside."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from eve_proxy.transport import pipes
from eve_proxy.transport.pipes import Pipe, PipeShelf


@pytest.fixture
def shelf() -> Iterator[PipeShelf]:
    made = PipeShelf(most=2, kept=1)
    yield made
    made.close()


def borrow(shelf: PipeShelf) -> Pipe:
    pipe = shelf.borrow()
    assert pipe is not None
    return pipe


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_pipe_that_came_back_is_lent_again(shelf: PipeShelf) -> None:
    """Tunnels in turn cost no new descriptors."""
    pipe = borrow(shelf)
    os.write(pipe.write_end, b"x")
    assert os.read(pipe.read_end, 1) == b"x"
    shelf.give_back(pipe)
    assert borrow(shelf) is pipe
    shelf.give_back(pipe)


def test_bounded(shelf: PipeShelf) -> None:
    """However many clients stop reading, the kernel memory that they pin has an end."""
    first, second = borrow(shelf), borrow(shelf)
    assert shelf.borrow() is None
    shelf.give_back(first)
    shelf.give_back(second)
    assert [is_open(pipe.read_end) for pipe in (first, second)] == [True, False]
    assert shelf.lent == 0


def test_bytes_are_never_passed_on(shelf: PipeShelf) -> None:
    """What one tunnel left behind never reaches another."""
    pipe = borrow(shelf)
    os.write(pipe.write_end, b"secret")
    shelf.discard(pipe)
    assert not is_open(pipe.read_end)
    assert shelf.lent == 0


def test_without_descriptors(shelf: PipeShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process has no descriptors left tunnels copy instead of breaking."""

    def fail(flags: int) -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(pipes.os, "pipe2", fail)
    assert shelf.borrow() is None
    assert shelf.lent == 0


def test_a_user_without_pipe_memory(shelf: PipeShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller pipe is slower, not an error."""
    real = pipes.fcntl.fcntl

    def refuse(descriptor: int, command: int, *value: int) -> int:
        if command == pipes.fcntl.F_SETPIPE_SZ:
            raise PermissionError
        return real(descriptor, command, *value)

    monkeypatch.setattr(pipes.fcntl, "fcntl", refuse)
    pipe = borrow(shelf)
    assert 4096 <= pipe.size <= 64 * 1024
    shelf.give_back(pipe)
