"""Log lines reach their descriptor, in order, without anybody waiting for its reader."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO
from unittest import mock

import pytest
from twisted.internet.task import Clock

from eve_proxy.transport.line_writer import CAPACITY, GATHER, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, int]]:
    """A pipe's reading end, and the descriptor of its other one; closed afterwards, unless a test did."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader:
        yield reader, writing
        with suppress(OSError):
            os.close(writing)


def lines(count: int, size: int = 20) -> list[bytes]:
    return [b"%0*d\n" % (size - 1, number) for number in range(count)]


def test_lines_are_gathered_and_arrive_in_order(pipe: tuple[BinaryIO, int]) -> None:
    """Nothing is written before the gathering time is over, and then everything at once."""
    reader, descriptor = pipe
    clock = Clock()
    writer = LineWriter(descriptor, clock)
    for line in lines(3):
        writer.write(line)
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(GATHER)
    assert reader.read(1000) == b"".join(lines(3))
    writer.write(b"later\n")
    clock.advance(GATHER)
    assert reader.read(1000) == b"later\n"
    writer.close()


def test_close_writes_what_is_left(pipe: tuple[BinaryIO, int]) -> None:
    """The last decisions before a stop are in the log, and no timer stays behind."""
    reader, descriptor = pipe
    clock = Clock()
    writer = LineWriter(descriptor, clock)
    writer.write(b"last\n")
    writer.close()
    assert reader.read(1000) == b"last\n"
    assert clock.getDelayedCalls() == []


def test_a_descriptor_that_takes_little_at_a_time(pipe: tuple[BinaryIO, int]) -> None:
    """No line is cut where the system took only a part of it."""
    reader, descriptor = pipe
    real_write = os.write
    with mock.patch.object(os, "write", lambda fd, data: real_write(fd, bytes(data[:7]))):
        writer = LineWriter(descriptor, Clock())
        for line in lines(5):
            writer.write(line)
        writer.close()
    assert reader.read(1000) == b"".join(lines(5))


def test_close_without_a_line(pipe: tuple[BinaryIO, int]) -> None:
    """A daemon that decided nothing stops all the same."""
    LineWriter(pipe[1], Clock()).close()


def test_a_stalled_reader_costs_lines_and_not_time(pipe: tuple[BinaryIO, int]) -> None:
    """While nobody reads, ``write`` returns at once; what exceeds the capacity is dropped, and the log says so."""
    reader, descriptor = pipe
    clock = Clock()
    written = lines(100, size=4096)  # 400 KiB: far more than a pipe holds
    writer = LineWriter(descriptor, clock, capacity=50 * 4096)
    for line in written:
        writer.write(line)
    clock.advance(GATHER)
    writer.write(written[0])  # full still: dropped too
    with Drain(reader) as drain:
        writer.close(timeout=10)
        os.close(descriptor)
    got = bytes(drain.data)
    kept, said = got[: 50 * 4096], got[50 * 4096 :]
    assert kept == b"".join(written[:50])
    notes = [json.loads(line) for line in said.splitlines()]
    assert [note["event"] for note in notes] == ["log_dropped"] * len(notes)
    assert sum(note["lines"] for note in notes) == 51


class Drain:
    """Reads a pipe in a thread of its own until its end; the block waits for that."""

    def __init__(self, reader: BinaryIO) -> None:
        self.data = bytearray()
        self._reader = reader
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        while piece := self._reader.read(65536):
            self.data += piece

    def __enter__(self) -> Drain:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def read_exactly(reader: BinaryIO, size: int) -> None:
    """Read ``size`` bytes and forget them."""
    while size:
        size -= len(reader.read(size))


def test_room_is_given_back(pipe: tuple[BinaryIO, int]) -> None:
    """After a stall has ended, lines are written again."""
    reader, descriptor = pipe
    clock = Clock()
    writer = LineWriter(descriptor, clock, capacity=100)
    for _ in range(20):  # 2,000 bytes through a capacity of 100
        for line in lines(5):
            writer.write(line)
        clock.advance(GATHER)
        assert reader.read(1000) == b"".join(lines(5))
        wait_for_room(writer)
    writer.close()


def wait_for_room(writer: LineWriter) -> None:
    """The writing thread counts its bytes just after they could be read: give it the processor until it has."""
    for _ in range(1_000_000):
        if not writer.waiting:
            return
        os.sched_yield()
    pytest.fail("bytes are counted as waiting for ever")


def test_the_count_survives_two_threads(pipe: tuple[BinaryIO, int]) -> None:
    """A batch that is written just while a line is taken is not counted as waiting for ever.

    Each such miscount would shrink the log's capacity, until every line is dropped.
    """
    reader, descriptor = pipe
    clock = Clock()
    writer = LineWriter(descriptor, clock)
    size = 1 << 20  # far more than the pipe holds: the writing thread stands still until somebody reads

    class Interrupted(bytes):
        """While its length is added up, the other thread finishes its batch."""

        asked = 0

        def __len__(self) -> int:
            Interrupted.asked += 1
            if Interrupted.asked == 2:  # the first time it is only compared with the room there is
                for _ in range(size // 4096):
                    read_exactly(reader, 4096)
                wait_for_room(writer)
            return 5

    writer.write(b"x" * size)
    clock.advance(GATHER)
    writer.write(Interrupted(b"line\n"))
    assert Interrupted.asked >= 2
    assert writer.waiting == 5
    writer.close()
    assert writer.waiting == 0


def test_the_note_about_drops_is_counted_once(pipe: tuple[BinaryIO, int]) -> None:
    """What the log says of itself takes room like any line, and gives it back."""
    _, descriptor = pipe
    clock = Clock()
    writer = LineWriter(descriptor, clock, capacity=10)
    writer.write(b"123456789\n")
    writer.write(b"dropped\n")
    clock.advance(GATHER)
    wait_for_room(writer)
    assert writer.waiting == 0
    writer.close()


def test_a_reader_that_is_gone_stops_nobody(pipe: tuple[BinaryIO, int]) -> None:
    """A broken pipe loses lines; decisions go on and so does the writer."""
    reader, descriptor = pipe
    reader.close()
    clock = Clock()
    writer = LineWriter(descriptor, clock, capacity=100)
    for _ in range(3):
        writer.write(b"x" * 99 + b"\n")
        clock.advance(GATHER)
        wait_for_room(writer)
    writer.close()
    assert not writer._thread.is_alive()


def test_a_close_does_not_wait_for_ever(pipe: tuple[BinaryIO, int]) -> None:
    """A reader that stalls for good cannot hold up the stop."""
    reader, descriptor = pipe
    writer = LineWriter(descriptor, Clock())
    writer.write(b"x" * (1 << 20))
    writer.close(timeout=0.01)
    assert writer._thread.is_alive()
    assert writer._thread.daemon
    read_exactly(reader, 1 << 20)  # sets it free
    writer._thread.join(10)
    assert not writer._thread.is_alive()


def test_the_capacity_is_a_few_megabytes() -> None:
    """A stalled log costs the daemon no more memory than that."""
    assert CAPACITY == 4 << 20


def test_the_last_words_of_a_start_that_failed(pipe: tuple[BinaryIO, int]) -> None:
    """An interpreter that ends starts no thread any more (Python 3.12): what was said is written all the same."""
    reader, descriptor = pipe
    writer = LineWriter(descriptor, Clock())
    writer.write(b"cannot start: the port is taken\n")
    with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("at interpreter shutdown")):
        writer.close()
    assert reader.read(1000) == b"cannot start: the port is taken\n"
