"""The last records of a live journal, by id, over restarts and rotations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eve_proxy.audit.recent import Recent
from tests.fakes.journal import Bench


class Asking:
    """A journal and whoever asks about it."""

    begun = 0

    def __init__(self, path: Path, window: int = 1 << 20, **options: object) -> None:
        self.bench = Bench(path, **options)
        self.bench.drafts = Asking.begun = Asking.begun + 1000  # ids that no other record has
        self.recent = Recent(path, window)

    def record(self) -> bytes:
        certificate = self.bench.record().certificate
        assert certificate is not None
        return certificate.line

    def find(self, line: bytes) -> bytes | None:
        return self.recent.find(self.bench.journal.standing, json.loads(line)["certificate_id"])

    def last(self, count: int) -> list[bytes]:
        return self.recent.last(self.bench.journal.standing, count)


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path / "events.jsonl")


def test_finds_the_line_byte_for_byte(asking: Asking) -> None:
    """What a client fetches is the line that an auditor will read."""
    lines = [asking.record() for _ in range(5)]
    assert [asking.find(line) for line in lines] == lines
    more = asking.record()
    assert asking.find(more) == more
    assert asking.recent.find(asking.bench.journal.standing, "cert_ffffffffffffffff") is None
    assert asking.recent.find(asking.bench.journal.standing, "\udc80") is None


def test_last_come_in_order(asking: Asking) -> None:
    """The last N, oldest first; fewer when there are fewer."""
    lines = [asking.record() for _ in range(5)]
    assert asking.last(3) == lines[-3:]
    assert asking.last(100)[1:] == lines
    assert len(asking.last(100)) == 6  # with the session_open


def test_only_what_is_durable(asking: Asking) -> None:
    """A line whose commit failed, or is under way, is not handed out as if it stood."""
    before = asking.record()
    asking.bench.disk.sync_failures = 1
    asking.bench.disk.open_failures = 100
    assert asking.bench.record().error is not None
    assert asking.bench.path.read_bytes().splitlines()[-1] != before
    assert asking.last(1) == [before]


def test_after_a_restart(asking: Asking) -> None:
    """Records of the session before are found."""
    lines = [asking.record() for _ in range(3)]
    asking.bench.journal.close()
    again = Asking(asking.bench.path)
    assert [again.find(line) for line in lines] == lines
    assert json.loads(again.last(1)[0])["kind"] == "session_open"


def test_over_rotations(tmp_path: Path) -> None:
    """Renamed files are read on, whether the index saw the rotation or begins after it."""
    asking = Asking(tmp_path / "events.jsonl", rotate_bytes=2500)
    lines = []
    for _ in range(12):
        lines.append(asking.record())
        assert asking.find(lines[0]) == lines[0]
    assert len(list(tmp_path.glob("*.rotated-*"))) > 3
    assert asking.last(12) == lines
    asking.bench.journal.close()
    again = Asking(asking.bench.path)
    assert [again.find(line) for line in lines] == lines
    asking.bench.path.rename(tmp_path / "events.jsonl.moved")
    newest = again.record()
    assert [again.find(line) for line in [*lines, newest]] == [*lines, newest]


def test_bounded_by_the_window(tmp_path: Path) -> None:
    """Memory and descriptors stay the same however long the journal is; what is too old is no longer found."""
    asking = Asking(tmp_path / "events.jsonl", window=5000, rotate_bytes=3000)
    descriptors = Path("/proc/self/fd")
    lines = [asking.record()]
    asking.find(lines[0])
    before = len(list(descriptors.iterdir()))
    for _ in range(40):
        lines.append(asking.record())
        assert asking.find(lines[-1]) == lines[-1]
    assert len(list(descriptors.iterdir())) <= before + 3
    assert asking.find(lines[0]) is None
    found = asking.last(1000)
    assert found == lines[-len(found) :]
    assert 3 <= len(found) <= 5
    fresh = Asking.__new__(Asking)
    fresh.bench, fresh.recent = asking.bench, Recent(asking.bench.path, 5000)
    assert fresh.last(1000) == found


def test_a_window_within_a_file(tmp_path: Path) -> None:
    """The oldest line in reach is a whole one, wherever the window begins."""
    asking = Asking(tmp_path / "events.jsonl")
    lines = [asking.record() for _ in range(10)]
    for window in range(900, 4000, 97):
        found = Recent(asking.bench.path, window).last(asking.bench.journal.standing, 100)
        assert found == lines[len(lines) - len(found) :]
        assert sum(len(line) + 1 for line in found) <= window


def test_a_journal_that_was_taken_away(asking: Asking) -> None:
    """Nothing is found, and nothing breaks."""
    line = asking.record()
    asking.bench.path.unlink()
    assert asking.find(line) is None
    assert asking.last(5) == []
