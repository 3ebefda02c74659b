"""Walking a large journal on several cores: the same answer as ``journal_walk.walk``, sooner.

The file is cut into stretches of whole lines. Each is examined by itself behind its first line; that line the walk in
this process takes, and with it the chain from one stretch to the next. Wherever anything is wrong, the walk in this
process goes on alone from there, so that there is one place that names faults. It also takes line by line the stretch
in which a checkpoint ends.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from eve_proxy.signing.journal_walk import LONGEST, Missing, Report, Stretch, Walk, read_lines
from eve_proxy.signing.merkle import leaf_hash
from eve_proxy.signing.outside import CheckpointSource
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import Key, keys_from

STRETCH: Final = 4 << 20  # bytes: a tenth of a second's work, and little to wait for at the end

# What the lines behind a stretch's first one add, and their leaf hashes; None when something in it is wrong.
Examined: TypeAlias = tuple[Stretch, bytes] | None


def walk_file(
    path: Path,
    keys: Sequence[Key],
    pool: Executor,
    *,
    ahead: int,
    size: int = STRETCH,
    require_external: bool = False,
    outside: Sequence[CheckpointSource] = (),
    advance: Callable[[int], None] = lambda size: None,
) -> Report:
    """Examine the journal in ``path``; as ``walk`` on its lines.

    :param keys: those that the pool's processes trust, too.
    :param pool: runs ``examine``.
    :param ahead: how many stretches to give to the pool before the first is done.
    :param size: bytes of a stretch, about.
    :param outside: as for ``walk``; sources that need more than the lines' hashes must walk line by line.
    :param advance: told how many more bytes are examined.
    :raises OSError: the file cannot be read.
    """
    walker = Walk(keys, outside)
    done = 0
    with path.open("rb") as stream, path.open("rb") as seeker:
        stretches = _examined(path, pool, _stretches(seeker, size), ahead, bool(outside))
        for start, end, examined in stretches:
            if examined is None:
                break
            stretch, leaves = examined
            lines = read_lines(stream)
            if report := walker.take(lines, 1):
                return report
            done = stream.tell()
            if not walker.follows_on(stretch):
                break
            if any(source.ends_within(stretch.records) for source in outside):
                if report := walker.take(lines, stretch.records):
                    return report
            else:
                walker.extend(stretch)
                for source in outside:
                    source.take_leaves(leaves)
            done = stream.seek(end)
            advance(end - start)
        stream.seek(done)
        return walker.take(_told(read_lines(stream), advance)) or walker.end(require_external)


@contextmanager
def processes(material: Sequence[bytes], count: int) -> Iterator[Executor]:
    """A pool of ``count`` processes that trust the keys in ``material`` (as for ``keys_from``)."""
    # Spawned: a fork would copy whatever threads and locks this process has by now.
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin, initargs=(tuple(material),))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


_keys: tuple[Key, ...] = ()


def trust(material: Sequence[bytes]) -> None:
    """Set the keys of this process, once, before it examines anything."""
    global _keys
    _keys = keys_from(list(material))


def _begin(material: Sequence[bytes]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends us
    trust(material)


def examine(path: Path, start: int, end: int, hashing: bool) -> Examined:
    """Examine the lines from ``start`` to ``end``, which are the file's offsets behind newlines.

    :param hashing: also give their leaf hashes.
    :raises OSError: the file cannot be read.
    """
    walker = Walk(_keys)
    leaves: list[bytes] = []
    with path.open("rb") as stream:
        stream.seek(start)
        try:
            walker.begin_behind(read_line(_whole(stream.readline(LONGEST))))
            while stream.tell() < end:
                line = _whole(stream.readline(LONGEST))
                walker.accept(line, read_line(line))
                if hashing:
                    leaves.append(leaf_hash(line))
        except (Unacceptable, Missing):
            return None
    return walker.stretch(), b"".join(leaves)


def _whole(raw: bytes) -> bytes:
    """A line without its newline; what has none is no line and will not be read as one."""
    return raw[:-1] if raw.endswith(b"\n") else b""


def _stretches(stream: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Offsets of stretches up to the last newline; ends early at what is longer than any line."""
    total = stream.seek(0, 2)
    start = 0
    while start < total:
        stream.seek(min(start + size, total) - 1)
        if not stream.readline(LONGEST + 1).endswith(b"\n"):
            return
        yield start, stream.tell()
        start = stream.tell()


def _examined(
    path: Path, pool: Executor, stretches: Iterator[tuple[int, int]], ahead: int, hashing: bool
) -> Iterator[tuple[int, int, Examined]]:
    """The stretches in order, each with its result, ``ahead`` of them at a time in the pool."""
    waiting: deque[tuple[int, int, Future[Examined]]] = deque()
    for start, end in stretches:
        try:
            waiting.append((start, end, pool.submit(examine, path, start, end, hashing)))
        except BrokenProcessPool:
            break  # the rest is walked here
        if len(waiting) >= ahead:
            yield _result(*waiting.popleft())
    while waiting:
        yield _result(*waiting.popleft())


def _result(start: int, end: int, future: Future[Examined]) -> tuple[int, int, Examined]:
    try:
        return start, end, future.result()
    except BrokenProcessPool:  # a process was killed, for want of memory perhaps: that says nothing about the journal
        return start, end, None


def _told(lines: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    for line in lines:
        advance(len(line))
        yield line


__all__ = ["STRETCH", "examine", "processes", "trust", "walk_file"]
