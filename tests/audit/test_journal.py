"""The journal under every fault a disk has: what a client is told, and what an auditor finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from eve_proxy.audit.file import FreeSpace
from eve_proxy.audit.gathering import LEISURE, QUIET
from eve_proxy.audit.journal import ROOM, Journal
from eve_proxy.interfaces import IAuditSink
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, Report, walk
from eve_proxy.signing.verification import keys_from, verify_certificate
from tests.fakes.journal import Bench, Outcome, draft
from tests.fakes.ports import SECRET


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "events.jsonl")


def examine(bench: Bench) -> Report:
    with bench.path.open("rb") as stream:
        return walk(stream, keys_from(SECRET))


def records(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bench.lines()]


def kinds(bench: Bench) -> list[str]:
    return [record["kind"] for record in records(bench)]


def assert_refused(outcome: Outcome, number: int) -> None:
    """The client got the one certified answer without a line."""
    assert isinstance(outcome.error, JournalUnavailable)
    certificate = outcome.error.certificate
    assert certificate is not None
    fields = certificate.to_dict()
    assert verify_certificate(fields, SECRET)
    assert fields["certificate_id"] == f"cert_{number:016x}"
    assert (fields["verdict"], fields["matched_pillar"], fields["log"]) == ("fail_closed", "114", None)
    assert fields["request"]["host"] == "api.example.com"
    assert "could not be recorded" in fields["reason"]


def test_session_frames_the_decisions(bench: Bench) -> None:
    """A journal from start to stop proves its own end against accident."""
    outcomes = [bench.record() for _ in range(3)]
    assert bench.journal.close().result is None  # type: ignore[attr-defined]
    assert kinds(bench) == ["session_open", "decision", "decision", "decision", "session_close"]
    assert [outcome.certificate.line for outcome in outcomes if outcome.certificate] == bench.lines()[1:4]
    assert examine(bench).exit is Exit.WHOLE


def test_fires_only_when_durable_and_in_order(bench: Bench) -> None:
    """Nobody is told of a record before the sync returned; then all are, first come first."""
    fired: list[int] = []
    bench.thread.held = True
    for number in range(1, 4):
        bench.journal.record(draft(number)).addCallback(lambda _, number=number: fired.append(number))
    assert fired == []
    assert len(bench.lines()) == 1  # not even written: that is the thread's work
    bench.thread.run()
    assert fired == [1]
    bench.thread.run()
    assert fired == [1, 2, 3]


def test_what_waits_goes_in_one_commit(bench: Bench) -> None:
    """Sixteen clients at once cost two syncs, not sixteen."""
    bench.disk.appends.clear()
    bench.thread.held = True
    outcomes = [bench.record() for _ in range(16)]
    bench.thread.release()
    assert bench.disk.appends == [1, 15]
    assert all(outcome.certificate for outcome in outcomes)


def test_in_a_crowd_the_first_waits_for_the_others_of_its_turn(bench: Bench) -> None:
    """Clients that keep coming together share a commit from the first on; a lone one is never held up."""
    for _ in range(2):
        bench.thread.held = True
        together = [bench.record() for _ in range(8)]
        bench.thread.release()
        bench.clock.advance(0)
        assert all(outcome.certificate for outcome in together)
    assert bench.disk.appends == [1, 1, 7, 8]
    for _ in range(4):
        bench.record()
        bench.clock.advance(QUIET)
    assert bench.record().certificate is not None


def test_head_is_the_next_link(bench: Bench) -> None:
    """The governance call carries the place that the decision's record will take."""
    bench.record()
    head = bench.journal.head
    outcome = bench.record()
    assert outcome.certificate is not None
    assert outcome.certificate.log == head


def test_no_space_in_the_middle_of_a_batch(bench: Bench) -> None:
    """A full disk refuses everyone whose line is not durable, keeps what was, says so, and heals by itself."""
    first = bench.record()
    assert first.certificate is not None
    bench.thread.held = True
    outcomes = [bench.record() for _ in range(3)]
    bench.thread.run()  # the first of the three fits
    bench.disk.room = 1500  # of the two others, one and a half
    bench.thread.run()
    assert outcomes[0].certificate is not None
    for number, outcome in enumerate(outcomes[1:], start=3):
        assert_refused(outcome, number)
    assert bench.journal.problem == "the journal cannot be written: No space left on device"
    assert_refused(bench.record(), 5)

    bench.disk.room = None
    bench.thread.release()
    bench.clock.advance(0)
    assert bench.journal.problem is None
    assert bench.record().certificate is not None
    assert kinds(bench) == ["session_open", "decision", "decision", "recovered", "decision"]
    recovered = records(bench)[3]["record"]
    assert recovered["bytes"] == 1500
    assert recovered["refused"] == 3
    assert "No space" in recovered["cause"]
    bench.journal.close()
    assert examine(bench).exit is Exit.WHOLE


def test_retries_slow_down_while_the_disk_stays_full(bench: Bench) -> None:
    """A disk that stays full is tried again every few seconds, not in a loop, until it takes a record."""
    bench.disk.room = 0
    assert_refused(bench.record(), 1)
    opened = bench.disk.opened
    for _ in range(1200):
        bench.disk.room = 0
        bench.clock.advance(0.05)
    assert 10 <= bench.disk.opened - opened <= 20  # a minute: 0, 0.25, 0.5, 1, 2, 4, 5, 5 ...
    assert bench.journal.problem
    assert examine(bench).records == 1
    bench.disk.room = None
    bench.clock.advance(5)
    assert bench.journal.problem is None
    bench.disk.room = 0
    bench.record()
    bench.disk.room = None
    bench.clock.advance(0)
    assert bench.journal.problem is None, "after a success the first retry is at once again"


def test_failed_sync_is_never_retried_on_its_descriptor(bench: Bench) -> None:
    """After an I/O error the file is reopened and cut back, although the bytes may all be there."""
    bench.disk.sync_failures = 2  # the second one hits the recovered record
    assert_refused(bench.record(), 1)
    bench.clock.advance(0)
    assert bench.journal.problem == "the journal cannot be written: Input/output error"
    bench.clock.advance(0.25)
    assert bench.journal.problem is None
    assert bench.record().certificate is not None
    assert kinds(bench) == ["session_open", "recovered", "decision"]
    assert records(bench)[1]["record"]["bytes"] > 500
    assert examine(bench).fault == "truncated"


def test_reopening_may_fail_too(bench: Bench) -> None:
    """A disk that cannot even be opened is tried again."""
    bench.disk.sync_failures, bench.disk.open_failures = 1, 2
    assert_refused(bench.record(), 1)
    bench.clock.pump([0, 0.25, 0.5])
    assert bench.journal.problem is None
    assert kinds(bench) == ["session_open", "recovered"]


@pytest.mark.parametrize("damage", ["shortened", "changed", "removed", "replaced"])
def test_does_not_continue_a_file_that_changed_behind_its_back(bench: Bench, damage: str) -> None:
    """Whoever rewrites the journal under a running daemon stops it from recording on top of that."""
    bench.record()
    content = bench.path.read_bytes()
    away = bench.path.parent / "away" / bench.path.name
    away.parent.mkdir()
    bench.disk.room = 0
    assert_refused(bench.record(), 2)
    if damage == "shortened":
        bench.path.write_bytes(content[:-10])
    elif damage == "changed":
        bench.path.write_bytes(content[:-10] + b"x" * 10)
    else:
        bench.path.rename(away)
        if damage == "replaced":
            bench.path.write_bytes(content)
    bench.disk.room = None
    bench.clock.pump([0, 0.25, 0.5])
    assert bench.journal.problem is not None
    assert "the journal cannot be written: " in bench.journal.problem
    if damage in ("shortened", "changed"):
        bench.path.write_bytes(content)
    else:
        away.replace(bench.path)
    bench.clock.advance(5)
    assert bench.journal.problem is None, "it goes on once the file is as it was"
    assert bench.record().certificate is not None
    assert examine(bench).fault == "truncated"


def test_stalled_append_fails_in_time_and_is_voided_when_it_lands(bench: Bench) -> None:
    """A disk that hangs for six seconds: refused after five; the line that lands after all is declared void."""
    bench.thread.held = True
    first = bench.record()
    bench.clock.advance(3)
    second = bench.record()  # waits behind the first
    bench.clock.advance(1.9)
    assert first.pending
    assert second.pending
    bench.clock.advance(0.2)
    assert_refused(first, 1)
    assert_refused(second, 2)
    assert bench.journal.problem == "the journal's disk did not answer within 5 s"
    assert_refused(bench.record(), 3)
    bench.thread.release()
    assert bench.journal.problem is None
    fourth = bench.record()
    assert fourth.certificate is not None
    assert kinds(bench) == ["session_open", "decision", "void", "decision"]
    landed, void = records(bench)[1:3]
    assert void["parent"] == landed["certificate_id"] == first.error.certificate.certificate_id
    assert void["record"] == {"content_hash": landed["content_hash"]}
    bench.journal.close()
    assert examine(bench).exit is Exit.WHOLE


def test_record_behind_a_stalled_commit_times_out_by_its_own_clock(bench: Bench) -> None:
    """A request that comes while the disk hangs waits no longer than its own five seconds."""
    bench.thread.held = True
    bench.record()
    bench.clock.advance(4)
    bench.thread.run()
    late = bench.record()
    bench.clock.advance(4.9)  # the alarm that was set for the first rings in between
    assert late.pending
    bench.clock.advance(0.2)
    assert_refused(late, 2)


def test_stall_that_ends_in_failure_leaves_nothing_to_void(bench: Bench) -> None:
    """A disk that hangs and then fails: refused once, cut back, healed, and no line remains of it."""
    bench.thread.held = True
    outcome = bench.record()
    bench.clock.advance(5.1)
    assert_refused(outcome, 1)
    bench.disk.sync_failures = 1
    bench.thread.release()
    bench.clock.advance(0)
    assert bench.journal.problem is None
    assert kinds(bench) == ["session_open", "recovered"]


def test_void_is_not_forgotten_when_its_own_commit_fails(bench: Bench) -> None:
    """The declaration that a line is void is repeated until it is durable, exactly once."""
    bench.thread.held = True
    bench.record()
    bench.clock.advance(5.1)
    bench.thread.run()  # lands; the void is on its way
    bench.disk.room = 100
    bench.thread.run()
    assert bench.journal.problem
    bench.disk.room = None
    bench.thread.release()
    bench.clock.advance(0)
    assert kinds(bench) == ["session_open", "decision", "recovered", "void"]
    assert examine(bench).fault == "truncated"


def test_void_in_flight_while_the_disk_stalls_again_is_written_once(bench: Bench) -> None:
    """Two stalls in a row give one void per line."""
    bench.thread.held = True
    bench.record()
    bench.clock.advance(5.1)
    bench.thread.run()  # the first line lands, its void is handed over
    second = bench.record()
    bench.clock.advance(5.1)
    assert_refused(second, 2)
    bench.thread.release()
    assert kinds(bench) == ["session_open", "decision", "void"]
    assert bench.journal.problem is None


def test_void_that_waits_while_the_disk_stalls_again_is_not_lost(bench: Bench) -> None:
    """A void that was withdrawn with the queue is declared with the next one."""
    bench.thread.held = True
    bench.record()
    bench.clock.rightNow += 6
    bench.record()
    bench.thread.run()  # the first line lands late; its void waits behind the second
    bench.clock.advance(5.1)
    bench.thread.release()
    bench.clock.advance(0)
    found = records(bench)
    assert [record["parent"] for record in found if record["kind"] == "void"] == [f"cert_{n:016x}" for n in (1, 2)]
    assert examine(bench).records == len(found) == 5


def test_landing_after_the_deadline_counts_as_late_whoever_was_first(bench: Bench) -> None:
    """If the reactor was blocked past the deadline, the durable line still refuses its client and is voided."""
    bench.thread.held = True
    outcome = bench.record()
    bench.clock.rightNow += 6  # time passed, but no timer could ring
    bench.thread.release()
    assert_refused(outcome, 1)
    assert kinds(bench) == ["session_open", "decision", "void"]
    assert bench.journal.problem is None


class Moody(HmacSigner):
    """A signer that can be broken."""

    __slots__ = ("broken",)

    def sign(self, content_hash: str) -> str:
        if getattr(self, "broken", False):
            raise RuntimeError("no key today")
        return super().sign(content_hash)


def test_failed_signature_does_not_move_the_chain(tmp_path: Path) -> None:
    """A key that fails for a moment costs that one request, and leaves no gap in the journal."""
    signer = Moody(SECRET)
    bench = Bench(tmp_path / "events.jsonl", signer=signer)
    head = bench.journal.head
    signer.broken = True
    outcome = bench.record()
    assert isinstance(outcome.error, SigningFailed)
    assert bench.journal.head == head
    signer.broken = False
    assert bench.record().certificate is not None
    assert examine(bench).fault == "truncated"


def test_signer_and_disk_broken_together(tmp_path: Path) -> None:
    """With neither key nor disk there is no certificate, no crash, and the journal heals when both are back."""
    signer = Moody(SECRET)
    bench = Bench(tmp_path / "events.jsonl", signer=signer)
    bench.thread.held = True
    outcome = bench.record()
    bench.disk.sync_failures, signer.broken = 1, True
    bench.thread.release()
    assert isinstance(outcome.error, JournalUnavailable)
    assert outcome.error.certificate is None
    bench.clock.advance(0)
    assert bench.journal.problem
    signer.broken = False
    bench.clock.advance(1)
    assert bench.journal.problem is None
    assert kinds(bench) == ["session_open", "recovered"]


def test_records_that_are_not_decisions_fail_without_a_certificate(bench: Bench) -> None:
    """A ``suppressed`` record that cannot be written is an error to its caller, not a verdict."""
    bench.disk.room = 0
    outcome = Outcome(bench.journal.note("suppressed", "refusals", {"count": 3}))
    assert isinstance(outcome.error, JournalUnavailable)
    assert outcome.error.certificate is None


def test_note(bench: Bench) -> None:
    """A ``suppressed`` record is a line like any other, with its details."""
    bench.journal.note("suppressed", "refusals", {"count": 3}, parent="cert_1")
    last = records(bench)[-1]
    assert (last["kind"], last["record"], last["parent"], last["verdict"]) == (
        "suppressed",
        {"count": 3},
        "cert_1",
        None,
    )


def test_an_outcome_goes_along_with_the_next_commit(bench: Bench) -> None:
    """What became of a request costs no write of its own while others are written."""
    decision = bench.record()
    assert decision.certificate is not None
    bench.journal.outcome(decision.certificate.certificate_id, {"status": 200})
    assert bench.disk.appends == [1, 1]
    bench.record()
    assert bench.disk.appends == [1, 1, 2]
    assert kinds(bench) == ["session_open", "decision", "outcome", "decision"]
    outcome = records(bench)[2]
    assert (outcome["parent"], outcome["record"]) == (decision.certificate.certificate_id, {"status": 200})
    assert (outcome["verdict"], outcome["request"], outcome["coverage"]) == (None, None, "none")
    assert examine(bench).fault == "truncated"


def test_an_outcome_is_not_left_lying(bench: Bench) -> None:
    """On a quiet day it is durable within a second or so, also when it came while a commit was under way."""
    bench.journal.outcome("cert_1", {})
    assert kinds(bench) == ["session_open"]
    bench.clock.advance(LEISURE)
    assert kinds(bench) == ["session_open", "outcome"]
    bench.thread.held = True
    bench.record()
    bench.journal.outcome("cert_2", {})
    bench.thread.release()
    assert kinds(bench)[2:] == ["decision"]
    bench.clock.advance(LEISURE)
    assert kinds(bench)[2:] == ["decision", "outcome"]


def test_a_lone_decision_never_waits_for_outcomes(bench: Bench) -> None:
    """However many outcomes lie about, a request that comes alone is committed at once."""
    for number in range(50):
        bench.journal.outcome(f"cert_{number}", {})
    assert bench.record().certificate is not None
    bench.journal.outcome("cert_50", {})
    assert bench.record().certificate is not None


def test_outcomes_are_bounded_while_the_disk_hangs(bench: Bench) -> None:
    """A slow disk costs outcomes, not memory; how many is in the journal."""
    bench.thread.held = True
    bench.record()
    for number in range(ROOM + 7):
        bench.journal.outcome(f"cert_{number}", {})
    assert bench.journal.outcomes_lost == 7
    bench.thread.release()
    bench.journal.close()
    assert kinds(bench).count("outcome") == ROOM
    assert records(bench)[-1]["record"] == {"outcomes_lost": 7}


def test_outcomes_are_lost_with_the_disk_and_counted(bench: Bench) -> None:
    """What cannot be written, or was withdrawn, is counted once."""
    bench.thread.held = True
    bench.record()
    bench.journal.outcome("cert_1", {})
    bench.journal.outcome("cert_2", {})
    bench.disk.sync_failures = 1
    bench.thread.run()
    assert bench.journal.problem is not None
    bench.journal.outcome("cert_3", {})
    assert bench.journal.outcomes_lost == 3
    bench.thread.release()
    bench.clock.advance(5)
    assert bench.journal.problem is None
    bench.thread.held = True
    bench.record()
    bench.journal.outcome("cert_4", {})
    bench.clock.advance(5.1)  # withdrawn: the disk hangs
    assert bench.journal.outcomes_lost == 4
    bench.thread.release()
    bench.journal.close()
    bench.journal.outcome("cert_5", {})
    assert "outcome" not in kinds(bench)
    assert records(bench)[-1]["record"] == {"outcomes_lost": 4}
    assert examine(bench).exit is Exit.WHOLE


def test_an_outcome_that_cannot_be_signed_is_counted(tmp_path: Path) -> None:
    """A key that fails for a moment is no reason to fail a response that has long been sent."""
    signer = Moody(SECRET)
    bench = Bench(tmp_path / "events.jsonl", signer=signer)
    signer.broken = True
    bench.journal.outcome("cert_1", {})
    assert bench.journal.outcomes_lost == 1


def test_close_waits_for_what_is_under_way(bench: Bench) -> None:
    """A shutdown writes what was accepted, then says that it closed, and accepts nothing more."""
    bench.thread.held = True
    outcome = bench.record()
    closed = bench.journal.close()
    assert bench.journal.problem == "the journal is closed"
    assert_refused(bench.record(), 2)
    assert not closed.called
    bench.thread.release()
    assert closed.called
    assert outcome.certificate is not None
    assert kinds(bench)[-1] == "session_close"
    assert bench.journal.close().called
    assert not bench.clock.getDelayedCalls()
    bench.open()  # the lock is free


@pytest.mark.parametrize("when", ["before", "during"])
def test_close_of_a_journal_that_cannot_be_written(bench: Bench, when: str) -> None:
    """A shutdown with a full disk ends all the same, says why, and frees the lock."""
    bench.disk.room = 0
    if when == "before":
        bench.record()
    closed: Deferred[None] = bench.journal.close()
    errors: list[Any] = []
    closed.addErrback(errors.append)
    assert isinstance(errors[0].value, JournalUnavailable)
    bench.disk.room = None
    bench.clock.advance(10)
    assert not bench.clock.getDelayedCalls()
    bench.open()
    assert kinds(bench)[0] == "session_open"


def test_close_while_the_disk_hangs_keeps_the_lock_until_the_write_is_over(bench: Bench) -> None:
    """A second daemon cannot start while a write of the first may still land."""
    bench.thread.held = True
    bench.record()
    closed = bench.journal.close()
    closed.addErrback(lambda failure: failure.trap(JournalUnavailable))
    bench.clock.advance(5.1)
    assert closed.called
    with pytest.raises(JournalUnavailable):
        bench.open()
    bench.thread.release()
    bench.open()
    assert kinds(bench) == ["session_open", "decision", "void", "session_open"]


def test_cancelled_waiter_does_not_disturb_the_rest(bench: Bench) -> None:
    """A client that goes away while its record is being written changes nothing for the others."""
    bench.thread.held = True
    gone = bench.journal.record(draft(1))
    gone.addErrback(lambda _: None)
    stays = bench.record()
    gone.cancel()
    bench.thread.release()
    assert stays.certificate is not None
    assert len(bench.lines()) == 3


def test_callback_may_record_again(bench: Bench) -> None:
    """A decision that leads to a second one (a refused address) is recorded behind it."""
    bench.thread.held = True
    inner: list[Deferred[DecisionCertificate]] = []
    bench.journal.record(draft(1)).addCallback(lambda _: inner.append(bench.journal.record(draft(2))))
    bench.thread.release()
    assert inner[0].called
    assert [record["log"]["seq"] for record in records(bench)] == [0, 1, 2]


def test_warnings(tmp_path: Path) -> None:
    """Readiness shows ``sync off`` and a disk that runs full, some seconds after it does."""
    bench = Bench(tmp_path / "events.jsonl", sync="off")
    assert bench.journal.warnings == ("sync off",)
    bench.disk.space = FreeSpace(free=100 << 20, total=20 << 30)
    bench.record()
    assert bench.journal.warnings == ("sync off",)
    bench.clock.advance(5)
    bench.record()
    assert bench.journal.warnings == ("sync off", "low disk: 100 MiB (0 %) left for the journal")


def test_sync_off_does_not_sync(tmp_path: Path) -> None:
    """EVE_PROXY_AUDIT_SYNC=off writes and leaves the rest to the operating system."""
    bench = Bench(tmp_path / "events.jsonl", sync="off")
    bench.disk.sync_failures = 1
    assert bench.record().certificate is not None


def test_is_an_audit_sink(bench: Bench) -> None:
    """The pipeline can be given a journal."""
    assert IAuditSink.providedBy(bench.journal)
    assert isinstance(bench.journal, Journal)


def test_ten_thousand_records(tmp_path: Path) -> None:
    """A long journal verifies from its first to its last line."""
    bench = Bench(tmp_path / "events.jsonl")
    bench.thread.held = True
    for _ in range(100):
        for _ in range(100):
            bench.record()
        bench.clock.advance(QUIET)
        bench.thread.run()
    bench.thread.release()
    bench.journal.close()
    report = examine(bench)
    assert (report.exit, report.kinds["decision"], report.kinds["checkpoint"]) == (Exit.WHOLE, 10_000, 10)


STEPS = st.lists(
    st.sampled_from(["record", "record", "record", "run", "run", "full", "half", "room", "eio", "wait", "pass"]),
    max_size=40,
)


@given(STEPS)
def test_told_durable_means_in_the_file(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever the disk does: who was told that a record is durable finds it, who was refused does not."""
    bench = Bench(tmp_path_factory.mktemp("journal") / "events.jsonl")
    bench.thread.held = True
    outcomes: list[Outcome] = []
    for step in steps:
        if step == "record":
            outcomes.append(bench.record())
        elif step == "run" and bench.thread.jobs:
            bench.thread.run()
        elif step == "full":
            bench.disk.room = 0
        elif step == "half":
            bench.disk.room = 1000
        elif step == "room":
            bench.disk.room = None
        elif step == "eio":
            bench.disk.sync_failures = 1
        elif step == "wait":
            bench.clock.advance(6)
        elif step == "pass":
            bench.clock.advance(0.3)
        lines = bench.path.read_bytes().split(b"\n")[:-1]
        for outcome in outcomes:
            if outcome.certificate is not None:
                assert outcome.certificate.line in lines
    bench.disk.room, bench.disk.sync_failures = None, 0
    bench.thread.release()
    bench.clock.pump([0.1] * 100)
    assert bench.journal.problem is None
    assert not any(outcome.pending for outcome in outcomes)
    bench.journal.close()
    assert examine(bench).exit is Exit.WHOLE
    found = records(bench)
    decided = {record["certificate_id"] for record in found if record["kind"] == "decision"}
    voided = [record["parent"] for record in found if record["kind"] == "void"]
    released = {outcome.certificate.certificate_id for outcome in outcomes if outcome.certificate}
    assert released == decided - set(voided)
    assert len(voided) == len(set(voided))
