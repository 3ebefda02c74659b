"""Reading journals to copy them: from any record on, over rotations, only what is durable and whole."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from eve_proxy.audit.file import open_file
from eve_proxy.model.certificate import LogLink
from eve_proxy.shipping.source import ChainBroken, RecordsMissing, Source
from eve_proxy.shipping.store import Batch
from eve_proxy.system import SystemEntropy
from tests.fakes.journal import Bench, io_error


class Reading:
    """One journal, and a source over its directory."""

    def __init__(self, folder: Path, *, most_lines: int = 3, begin_late: bool = False, **options: object) -> None:
        self.bench = Bench(folder / "events.jsonl", **options)
        self.source = Source(folder, most_lines=most_lines, begin_late=begin_late)
        self.log_id = self.bench.journal.head.id

    def read(self, end: LogLink | None) -> Batch | None:
        assert self.log_id in self.source.logs()
        return self.source.read(self.log_id, end)

    def everything(self, end: LogLink | None = None) -> list[bytes]:
        lines: list[bytes] = []
        while (batch := self.read(end)) is not None:
            assert batch.first.seq == (0 if end is None else end.seq)
            assert batch.following.seq == batch.first.seq + len(batch.lines)
            lines += batch.lines
            end = batch.following
        return lines


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def written(folder: Path) -> list[bytes]:
    """Every line of the folder, by number."""
    lines = [line for path in folder.glob("events.jsonl*") for line in path.open("rb") if line.startswith(b"{")]
    return sorted(lines, key=lambda line: int(line.rpartition(b'"seq":')[2].partition(b",")[0]))


def test_batches_until_the_end_and_then_what_comes(reading: Reading) -> None:
    """Bounded batches in order; later records when they are there."""
    for _ in range(7):
        reading.bench.record()
    lines = reading.everything()
    assert lines == written(reading.bench.path.parent)
    assert len(lines) == 8
    first = reading.read(None)
    assert first is not None
    assert len(first.lines) == 3
    end = LogLink(id=reading.log_id, seq=8, prev=reading.bench.journal.head.prev)
    assert reading.read(end) is None
    reading.bench.record()
    batch = reading.read(end)
    assert batch is not None
    assert batch.lines == (written(reading.bench.path.parent)[-1],)


def test_bounded_by_bytes(tmp_path: Path) -> None:
    """A batch is a piece of memory, whatever the number of its lines."""
    reading = Reading(tmp_path)
    for _ in range(5):
        reading.bench.record()
    small = Source(tmp_path, most_bytes=1500)
    small.logs()
    batch = small.read(reading.log_id, None)
    assert batch is not None
    assert len(batch.lines) == 2


@pytest.mark.parametrize("fresh", [False, True])
def test_over_rotations(tmp_path: Path, fresh: bool) -> None:
    """Renamed under the reader, by name or by size, and for a reader that starts in the middle."""
    reading = Reading(tmp_path, rotate_bytes=2500)
    lines: list[bytes] = []
    end: LogLink | None = None
    for number in range(12):
        reading.bench.record()
        if number == 6:
            reading.bench.path.rename(tmp_path / "events.jsonl.1")
        if fresh:
            reading.source.close()
        while (batch := reading.read(end)) is not None:
            lines += batch.lines
            end = batch.following
    assert len(lines) == 13
    assert lines == written(tmp_path)


def test_compressed_files(tmp_path: Path) -> None:
    """What logrotate compressed is read as well; a file that is still being compressed is not."""
    reading = Reading(tmp_path)
    for _ in range(4):
        reading.bench.record()
    old = reading.bench.path.rename(tmp_path / "events.jsonl.1")
    reading.bench.record()
    lines = written(tmp_path)
    whole = gzip.compress(old.read_bytes())
    (tmp_path / "events.jsonl.1.gz").write_bytes(whole[: len(whole) // 2])
    assert reading.everything() == lines
    (tmp_path / "events.jsonl.1.gz").write_bytes(whole)
    old.unlink()
    reading.source.close()
    assert reading.everything() == lines


def test_only_what_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line whose commit fails is in the file for a moment. It is never copied: it may be cut off again."""
    reading = Reading(tmp_path, opener=open_file)
    seen: list[int] = []

    def broken(_: object) -> None:
        seen.append(len(reading.everything()))
        raise io_error()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        assert reading.bench.record().error is not None
    assert seen == [1]
    assert len(reading.bench.path.read_bytes().splitlines()) == 2
    reading.bench.clock.pump([0, 0.25, 0.5])
    reading.bench.record()
    assert len(reading.everything()) == 3
    assert reading.everything() == written(tmp_path)


def test_a_writer_that_died_in_a_line(reading: Reading) -> None:
    """Half a line is not copied; the next session cuts it off and goes on, and so does the copy."""
    reading.bench.record()
    reading.bench.journal._file.close()
    reading.bench.journal._lock.release()
    with reading.bench.path.open("ab") as stream:
        stream.write(b'{"certificate_id":"cert_00')
    assert len(reading.everything()) == 2
    reading.bench.journal = reading.bench.open()
    reading.bench.record()
    assert reading.everything() == written(reading.bench.path.parent)


def test_several_logs(tmp_path: Path) -> None:
    """Workers' and programs' journals are copied too; damaged files, and what is no journal, are not."""
    reading = Reading(tmp_path)
    other = Bench(tmp_path / "events.1.jsonl", entropy=SystemEntropy())
    (tmp_path / "notes.jsonl").write_bytes(b"{}\n")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "events.jsonl.damaged-1").write_bytes(reading.bench.path.read_bytes())
    assert reading.source.logs() == sorted([reading.log_id, other.journal.head.id])


def test_records_that_are_nowhere(tmp_path: Path) -> None:
    """A file that was deleted before it was copied is said, with the numbers; nothing is skipped silently."""
    reading = Reading(tmp_path)
    for number in range(4):
        reading.bench.record()
        reading.bench.record()
        reading.bench.path.rename(tmp_path / f"events.jsonl.{number}")
    reading.bench.record()
    lines = written(tmp_path)
    gone = (tmp_path / "events.jsonl.1").read_bytes()
    (tmp_path / "events.jsonl.1").unlink()
    end = reading.read(None)
    assert end is not None
    with pytest.raises(RecordsMissing, match="records 3 to 4 are in no file here"):
        reading.read(end.following)
    (tmp_path / "events.jsonl.1").write_bytes(gone)
    assert reading.everything() == lines
    (tmp_path / "events.jsonl.0").unlink()
    reading.source.close()
    with pytest.raises(RecordsMissing, match="records 0 to 2"):
        reading.read(None)


def test_begin_late(tmp_path: Path) -> None:
    """A journal whose beginning is archived elsewhere already can be copied from what is left."""
    reading = Reading(tmp_path, begin_late=True)
    reading.bench.record()
    reading.bench.path.rename(tmp_path / "events.jsonl.1")
    reading.bench.record()
    (tmp_path / "events.jsonl.1").unlink()
    batch = reading.read(None)
    assert batch is not None
    assert (batch.first.seq, len(batch.lines)) == (2, 1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"allow", b"block", 1), *lines[2:]], "edited"),
        (lambda lines: [lines[0], lines[1].replace(b":", b": ", 1), *lines[2:]], "respaced"),
        (lambda lines: [lines[0], *lines[2:]], "another record stands where record 1"),
        (lambda lines: [lines[0], lines[1], lines[1], *lines[2:]], "another record stands where record 2"),
    ],
    ids=["edited", "respaced", "dropped", "repeated"],
)
def test_what_was_changed_is_not_copied(tmp_path: Path, damage: object, said: str) -> None:
    """Up to the change everything is copied, and then nothing: a store that cannot be changed gets no mistakes."""
    reading = Reading(tmp_path, most_lines=1)
    for _ in range(4):
        reading.bench.record()
    lines = reading.bench.path.read_bytes().splitlines(keepends=True)
    reading.bench.path.write_bytes(b"".join(damage(lines)))  # type: ignore[operator]
    with pytest.raises(ChainBroken, match=said):
        reading.everything()


def test_another_history_than_the_store_s(reading: Reading) -> None:
    """A journal that was restored and went another way does not continue what was copied before."""
    reading.bench.record()
    reading.bench.record()
    end = LogLink(id=reading.log_id, seq=2, prev="sha256-" + "1" * 64)
    with pytest.raises(ChainBroken, match="does not follow the one that was shipped"):
        reading.read(end)


def test_a_store_that_knows_more(reading: Reading) -> None:
    """After a restore from an older copy there is nothing to add."""
    assert reading.read(LogLink(id=reading.log_id, seq=100, prev="sha256-" + "1" * 64)) is None


def test_an_inode_that_was_used_again(tmp_path: Path) -> None:
    """A new file with the inode of a deleted one is not taken for that one for long."""
    reading = Reading(tmp_path)
    reading.bench.record()
    assert len(reading.everything()) == 2
    status = reading.bench.path.stat()
    reading.source._places[(status.st_dev, status.st_ino)] = (reading.log_id, 77)
    reading.source.close()
    with pytest.raises(RecordsMissing):
        reading.read(None)
    assert len(reading.everything()) == 2
