"""The journal of processes without an event loop: durable or refused, in every thread, whatever the disk does."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.audit.beginning import first_place, session_open, write_first
from eve_proxy.audit.blocking import BlockingJournal, Entry
from eve_proxy.audit.records import Records
from eve_proxy.audit.rotation import FileRotation
from eve_proxy.audit.tree import Tree
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.signing.checkpoint import SUFFIX, open_checkpoint
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, Report, read_lines, walk
from eve_proxy.signing.secret import Secret
from eve_proxy.signing.spelling import read_line
from tests.fakes.journal import Disk, draft, no_space
from tests.fakes.ports import SECRET, FakeClock, FakeEntropy


class Gate(Disk):
    """A disk that can be made to hang.

    :ivar hanging: appends wait until ``release``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.release = threading.Semaphore(0)
        self.hanging = False

    def __call__(self, path: Path) -> Any:
        file = super().__call__(path)
        append = file.append

        def slow(data: bytes, durable: bool) -> None:
            if self.hanging:
                self.entered.release()
                assert self.release.acquire(timeout=20)
            append(data, durable)

        file.append = slow
        return file


class Bench:
    """One blocking journal on one faulty disk."""

    def __init__(self, path: Path, signer: HmacSigner | None = None) -> None:
        self.path = path
        self.disk = Gate()
        self.clock = FakeClock()
        self.signer = signer or HmacSigner(SECRET)
        entropy = FakeEntropy()
        records = Records(org_id="acme", caller="lib", clock=self.clock, entropy=entropy)
        tree = Tree()
        opener = tree.opener(self.disk)
        file = opener(path)
        place = write_first(file, first_place(entropy), [session_open(records, sync="batch")], self.signer)
        self.disk.appends.clear()
        self.journal = BlockingJournal(
            path=path,
            file=file,
            rotation=FileRotation(path=path, opener=opener, clock=self.clock),
            place=place,
            tree=tree,
            signer=self.signer,
            records=records,
            clock=self.clock,
            durable=True,
            timeout=5.0,
        )

    def record(self, number: int = 1) -> Any:
        return self.journal.submit(draft(number)).future.result(20)

    def kinds(self) -> list[str]:
        """The kinds of the lines on the disk."""
        return [read_line(line)["kind"] for line in self.path.read_bytes().splitlines()]

    def verdict(self) -> Report:
        with self.path.open("rb") as stream:
            return walk(read_lines(stream), [Secret(SECRET)])

    def heal(self) -> None:
        """Wait until the journal has repaired itself."""
        for _ in range(400):
            if self.journal.problem is None:
                return
            threading.Event().wait(0.01)
        raise AssertionError(f"it did not heal: {self.journal.problem}")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "events.jsonl")
    yield made
    made.disk.hanging = False
    made.disk.release.release(100)
    made.journal.close()


def test_a_record_is_on_the_disk_when_its_future_fires(bench: Bench) -> None:
    """No certificate without its line."""
    certificate = bench.record()
    assert bench.path.read_bytes().splitlines()[-1] == certificate.line
    assert bench.journal.head.prev == certificate.content_hash


def test_threads_share_one_chain(bench: Bench) -> None:
    """Eight threads at once: every certificate has its line, once, and the chain is whole."""
    found: list[bytes] = []

    def work() -> None:
        for number in range(25):
            found.append(bench.record(number).line)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    bench.journal.close()
    lines = bench.path.read_bytes().splitlines()
    assert sorted(lines[1:-1]) == sorted(found)
    assert bench.verdict().exit is Exit.WHOLE


def test_what_waits_goes_together(bench: Bench) -> None:
    """One fsync serves every record that came while the last one ran."""
    bench.disk.hanging = True
    first = bench.journal.submit(draft(0))
    assert bench.disk.entered.acquire(timeout=20)
    others = [bench.journal.submit(draft(number)) for number in range(1, 6)]
    bench.disk.release.release(2)
    for entry in (first, *others):
        entry.future.result(20)
    assert bench.disk.appends == [1, 5]


def test_a_signer_that_fails_moves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next record follows as if nothing had been asked."""
    head = bench.journal.head
    with monkeypatch.context() as broken:
        broken.setattr(HmacSigner, "sign", lambda *_: 1 / 0)
        with pytest.raises(SigningFailed):
            bench.journal.submit(draft())
    assert bench.record().log == head


def refused(entry: Entry) -> JournalUnavailable:
    error = entry.future.exception(20)
    assert isinstance(error, JournalUnavailable)
    assert error.certificate is not None
    assert error.certificate.log is None
    assert error.certificate.draft.matched_pillar == "114"
    return error


@pytest.mark.parametrize("fault", ["full", "sync"])
def test_a_failed_write_fails_everybody_and_heals(bench: Bench, fault: str) -> None:
    """Nobody gets a certificate whose line is not durable; afterwards the journal is whole and says what happened."""
    bench.record()
    before, head = bench.path.read_bytes(), bench.journal.head
    if fault == "full":
        bench.disk.room = 100
    else:
        bench.disk.sync_failures = 1
    bench.disk.hanging = True
    first = bench.journal.submit(draft(1))
    assert bench.disk.entered.acquire(timeout=20)
    second = bench.journal.submit(draft(2))
    bench.disk.hanging = False
    bench.disk.release.release()
    said = "No space left" if fault == "full" else "Input/output error"
    assert said in str(refused(first))
    assert said in str(refused(second))
    assert bench.journal.head == head
    with pytest.raises(JournalUnavailable, match=said):
        bench.journal.submit(draft(3))
    bench.disk.room = None
    bench.heal()
    bench.record(4)
    assert bench.path.read_bytes().startswith(before)
    assert bench.kinds() == ["session_open", "decision", "recovered", "decision"]
    recovered = read_line(bench.path.read_bytes().splitlines()[2])["record"]
    assert recovered["refused"] == 3
    assert recovered["bytes"] > 0
    bench.journal.close()
    assert bench.verdict().exit is Exit.WHOLE


def test_a_disk_that_fails_again_while_it_is_repaired_heals_later(bench: Bench) -> None:
    """Each failed attempt leaves the last durable record where it is."""
    bench.disk.sync_failures, bench.disk.open_failures = 2, 1
    entry = bench.journal.submit(draft())
    refused(entry)
    bench.heal()
    bench.record()
    bench.journal.close()
    assert bench.kinds() == ["session_open", "recovered", "decision", "session_close"]
    # What was cut is the record that was lost, not an attempt to say so.
    recovered = read_line(bench.path.read_bytes().splitlines()[1])["record"]
    assert recovered["bytes"] == len(entry.certificate.line) + 1
    assert bench.verdict().exit is Exit.WHOLE


def test_a_replaced_file_is_not_written(bench: Bench) -> None:
    """Somebody put another file in its place: nothing is recorded into that one, and nothing is lost."""
    moved = bench.path.rename(bench.path.with_suffix(".moved"))
    bench.path.write_bytes(b"not a journal\n")
    bench.disk.sync_failures = 1
    refused(bench.journal.submit(draft()))
    bench.heal()
    bench.record()
    bench.journal.close()
    assert bench.path.read_bytes() == b"not a journal\n"
    bench.path = moved
    assert bench.kinds() == ["session_open", "recovered", "decision", "session_close"]
    assert bench.verdict().exit is Exit.WHOLE


def test_a_renamed_journal_goes_on_in_a_new_file(bench: Bench) -> None:
    """logrotate renames the journal of a program that enforces: the chain goes on at the old path, nothing is lost."""
    bench.record(1)
    moved = bench.path.rename(bench.path.with_suffix(".jsonl.1"))
    bench.record(2)
    bench.record(3)
    bench.journal.close()
    assert len(moved.read_bytes().splitlines()) == 2
    assert bench.kinds() == ["decision", "decision", "session_close"]
    assert walk([*moved.open("rb"), *bench.path.open("rb")], [Secret(SECRET)]).exit is Exit.WHOLE


def test_a_failed_write_into_a_new_file_is_repaired_there(bench: Bench) -> None:
    """The first commit after a rename fails: the new file is cut back and goes on; the old one stays as it was."""
    bench.record(1)
    moved = bench.path.rename(bench.path.with_suffix(".jsonl.1"))
    bench.disk.sync_failures = 1
    refused(bench.journal.submit(draft(2)))
    bench.heal()
    bench.record(3)
    bench.journal.close()
    assert bench.kinds() == ["recovered", "decision", "session_close"]
    assert walk([*moved.open("rb"), *bench.path.open("rb")], [Secret(SECRET)]).exit is Exit.WHOLE


def test_a_line_that_lands_after_its_caller_gave_up_is_void(bench: Bench) -> None:
    """The caller was refused; a void record says that nothing was released on the line."""
    bench.disk.hanging = True
    entry = bench.journal.submit(draft())
    assert bench.disk.entered.acquire(timeout=20)
    error = bench.journal.give_up(entry)
    assert error is not None
    assert "the call's deadline passed" in str(error)
    assert error.certificate is not None
    assert bench.journal.problem is None  # the journal's own patience is longer
    bench.disk.hanging = False
    bench.disk.release.release()
    bench.record(2)
    bench.journal.close()
    assert bench.kinds()[:2] == ["session_open", "decision"]
    assert sorted(bench.kinds()[2:]) == ["decision", "session_close", "void"]
    void = next(fields for fields in map(read_line, bench.path.read_bytes().splitlines()) if fields["kind"] == "void")
    assert void["parent"] == entry.certificate.certificate_id
    assert void["record"] == {"content_hash": entry.certificate.content_hash}
    assert bench.verdict().exit is Exit.WHOLE


def test_a_stalled_disk_refuses_the_others_at_once(bench: Bench) -> None:
    """After EVE_PROXY_AUDIT_TIMEOUT nobody else has to wait as long; when the disk answers, all is well again."""
    bench.disk.hanging = True
    entry = bench.journal.submit(draft())
    assert bench.disk.entered.acquire(timeout=20)
    bench.clock.advance(5)
    error = bench.journal.give_up(entry)
    assert error is not None
    assert "did not answer within 5 s" in str(error)
    with pytest.raises(JournalUnavailable, match="did not answer"):
        bench.journal.submit(draft())
    bench.disk.hanging = False
    bench.disk.release.release()
    bench.heal()
    bench.record()


def test_giving_up_in_the_last_moment_keeps_what_is_durable(bench: Bench) -> None:
    """The line landed between the end of the wait and giving up: it counts."""
    entry = bench.journal.submit(draft())
    entry.future.result(20)
    assert bench.journal.give_up(entry) is None


def test_a_void_record_that_is_lost_is_written_again(bench: Bench) -> None:
    """The disk fails just when it is written: it is still owed."""
    bench.disk.hanging = True
    entry = bench.journal.submit(draft())
    assert bench.disk.entered.acquire(timeout=20)
    assert bench.journal.give_up(entry) is not None
    bench.disk.release.release()
    assert bench.disk.entered.acquire(timeout=20)  # the void record is under way
    bench.disk.sync_failures = 1
    bench.disk.hanging = False
    bench.disk.release.release()
    for _ in range(200):
        if "void" in bench.kinds() and "recovered" in bench.kinds():
            break
        threading.Event().wait(0.01)
    assert bench.kinds() == ["session_open", "decision", "recovered", "void"]


def test_close_ends_the_journal_for_good(bench: Bench) -> None:
    """session_close is the last line, and whoever comes later is refused."""
    entry = bench.journal.submit(draft())
    bench.journal.close()
    bench.journal.close()
    assert entry.future.done()
    assert bench.kinds() == ["session_open", "decision", "session_close"]
    assert bench.verdict().exit is Exit.WHOLE
    with pytest.raises(JournalUnavailable, match="closed"):
        bench.journal.submit(draft())


def test_close_does_not_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    """A process can end though its disk does not answer."""
    bench = Bench(tmp_path / "events.jsonl")
    bench.journal.timeout = 0.02
    bench.disk.hanging = True
    bench.journal.submit(draft())
    bench.journal.close()
    assert bench.journal.problem == "the journal is closed"
    bench.disk.release.release(5)


def test_a_forked_child_leaves_the_parents_journal_alone(tmp_path: Path) -> None:
    """Even when a thread of the parent held the lock at the moment of the fork."""
    bench = Bench(tmp_path / "events.jsonl")
    bench.journal._changed.acquire()
    bench.journal.forget()
    with pytest.raises(JournalUnavailable, match="forked"):
        bench.journal.submit(draft())


def test_without_sync_the_system_decides(tmp_path: Path) -> None:
    """EVE_PROXY_AUDIT_SYNC=off never asks the device."""
    bench = Bench(tmp_path / "events.jsonl")
    bench.journal._durable = False
    bench.disk.sync_failures = 1
    bench.record()
    assert bench.disk.sync_failures == 1


def test_the_chain_is_the_order_of_submission(bench: Bench) -> None:
    """Link and signature are taken when the record is submitted."""
    entries = [bench.journal.submit(draft(number)) for number in range(5)]
    for before, after in itertools.pairwise(entries):
        assert after.certificate.to_dict()["log"]["prev"] == before.certificate.content_hash
    assert no_space().strerror  # the faults above are the system's own


def test_a_thousand_records_and_the_end_are_checkpointed(tmp_path: Path) -> None:
    """A process of the library leaves a signed checkpoint of its whole journal behind."""
    bench = Bench(tmp_path / "events.jsonl")
    entries = [bench.journal.submit(draft(number)) for number in range(1, 1200)]
    entries[-1].future.result(timeout=20)
    bench.record(1200)  # goes with the checkpoint's record
    bench.journal.close()
    report = bench.verdict()
    assert report.exit is Exit.WHOLE
    assert report.kinds["checkpoint"] == 1
    checkpoint, _ = open_checkpoint((tmp_path / f"events.jsonl{SUFFIX}").read_bytes(), [bench.signer])
    assert checkpoint.size == report.records


def test_a_minute_later_the_next_record_brings_a_checkpoint(tmp_path: Path) -> None:
    """A quiet process is checkpointed, too, without a thread that waits for the time."""
    bench = Bench(tmp_path / "events.jsonl")
    bench.record(1)
    bench.clock.now += 61
    bench.record(2)
    bench.record(3)  # goes behind the checkpoint's record, or with it
    bench.journal.close()
    assert bench.verdict().kinds["checkpoint"] == 1
