"""The file under a journal, without the journal: where it stands after each append, rotation and repair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eve_proxy.audit.beginning import first_place
from eve_proxy.audit.present_file import PresentFile
from eve_proxy.audit.rotation import FileRotation
from eve_proxy.model.certificate import LogLink
from tests.fakes.journal import Disk, JournalClock, Thread
from tests.fakes.ports import FakeEntropy

LAST = b"one line"
DATA = LAST + b"\n"


class Bench:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.disk = Disk()
        self.thread = Thread()
        rotation = FileRotation(path=path, opener=self.disk, clock=JournalClock())
        self.present = PresentFile(
            self.disk(path), first_place(FakeEntropy()), rotation=rotation, offload=self.thread, durable=True
        )
        self.outcomes: list[Any] = []

    def append(self, seq: int) -> None:
        following = LogLink(id="log_1", seq=seq, prev="sha256-" + "0" * 64)
        self.present.append(DATA, LAST, following, self.outcomes.append, self.outcomes.append)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "j")


def test_the_place_moves_when_it_is_durable_and_not_before(bench: Bench) -> None:
    """What a failure returns to is never ahead of the disk."""
    bench.thread.held = True
    bench.append(1)
    assert (bench.present.place.offset, bench.outcomes) == (0, [])
    bench.thread.release()
    assert (bench.present.place.offset, bench.present.place.last) == (len(DATA), LAST)
    assert bench.outcomes == [None]


def test_a_failed_append_leaves_the_place(bench: Bench) -> None:
    """The caller hears of it, and taking up cuts back to the last durable line."""
    bench.append(1)
    bench.disk.room = 3
    bench.append(2)
    assert isinstance(bench.outcomes[-1].value, OSError)
    assert bench.present.place.next.seq == 1
    cuts: list[Any] = []
    bench.present.take_up().addCallback(cuts.append)
    assert [cut.size for cut in cuts] == [3]
    assert bench.path.read_bytes() == DATA
    bench.disk.room = None
    bench.append(2)
    assert bench.path.read_bytes() == DATA * 2


def test_a_new_file_begins_at_its_beginning(bench: Bench) -> None:
    """After a rename offsets count from the new file's start, and repairs concern that file."""
    bench.append(1)
    identity = bench.present.identity
    bench.path.rename(bench.path.with_name("old"))
    bench.append(2)
    assert bench.present.identity != identity
    assert (bench.present.place.offset, bench.present.place.next.seq) == (len(DATA), 2)
    assert bench.path.read_bytes() == DATA
    bench.disk.sync_failures = 1
    bench.append(3)
    bench.present.take_up()
    assert bench.path.read_bytes() == DATA
    assert bench.present.free_space() == bench.disk.space
    bench.present.close()
