"""Two journals against each other: what either party dropped or rewrote is named, and honest parties are left alone."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.certificate import LogLink
from eve_proxy.signing.journal_walk import Exit, Report, read_lines, walk
from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.witness_log import WitnessLog
from eve_proxy.signing.witness_source import WitnessSource
from tests.fakes.parties import KEYS, PROXY, REQUEST, WITNESS, Chain, Parties, two_parties, without_witness


def compare(parties: Parties, **options: Any) -> Report:
    log = WitnessLog()
    for line in parties.witness.lines():
        log.take(read_line(line[:-1]))
    log.ready()
    source = WitnessSource(log, [WITNESS])
    lines = read_lines(io.BytesIO(b"".join(parties.proxy.lines())))
    return walk(lines, KEYS, outside=[source], **options)


def test_honest_parties() -> None:
    """Two journals that agree prove the end against the holder of the key."""
    report = compare(two_parties(7), require_external=True)
    assert (report.exit, report.fault, report.proven_against) == (Exit.WHOLE, None, "key-holder")
    assert report.notes == ("witness: 7 decisions agree; it was shown the first 7 of 9 records",)


def test_rewritten_by_the_proxy() -> None:
    """A verdict that the holder of the key changed afterwards, with the whole chain signed anew."""
    parties = two_parties()
    parties.proxy.drafts[2] = replace(parties.proxy.drafts[2], verdict="block")
    report = compare(parties)
    assert (report.exit, report.fault, report.line) == (Exit.TAMPERED, "rewritten", 3)
    assert "cert_0000000000000002 carries a signature that the witness did not make over it" in report.detail


@pytest.mark.parametrize("changed", ["request", "reason"])
def test_any_rewritten_field_shows_in_the_heads(changed: str) -> None:
    """What the witness's signature does not cover, the heads that it was shown do."""
    parties = two_parties()
    changes: dict[str, Any] = {"request": replace(REQUEST, host="evil.example"), "reason": "something else"}
    parties.proxy.drafts[1] = replace(parties.proxy.drafts[1], **{changed: changes[changed]})
    report = compare(parties)
    assert (report.exit, report.fault) == (Exit.TAMPERED, "rewritten")


def test_records_of_ours_are_bound_too() -> None:
    """A record that the witness never saw cannot be taken out before one that it was shown."""
    parties = Parties()
    parties.decide(1)
    parties.proxy.note("suppressed", 901)
    parties.decide(2)
    parties.close()
    assert compare(parties).exit is Exit.WHOLE
    del parties.proxy.drafts[2]
    report = compare(parties)
    assert (report.exit, report.fault) == (Exit.TAMPERED, "rewritten")


def test_dropped_by_the_proxy_at_the_end() -> None:
    """The last decision was taken out and the journal closed properly: the witness still has it."""
    parties = two_parties()
    del parties.proxy.drafts[4]
    report = compare(parties)
    assert (report.exit, report.fault, report.line) == (Exit.TAMPERED, "dropped", None)
    assert "cert_0000000000000004 (its line 5)" in report.detail


def test_cut_off_by_the_proxy() -> None:
    """More than the last decision is gone: the witness was shown more records than there are."""
    parties = two_parties()
    del parties.proxy.drafts[2:5]
    report = compare(parties)
    assert (report.exit, report.fault) == (Exit.TAMPERED, "cut")
    assert "shown 4 records" in report.detail


def test_the_signature_was_taken_away() -> None:
    """A certificate without the signature that the witness gave is not one that was never witnessed."""
    parties = two_parties()
    parties.proxy.drafts[4] = without_witness(parties.proxy.drafts[4])
    report = compare(parties)
    assert (report.exit, report.fault) == (Exit.TAMPERED, "rewritten")
    assert "lacks the signature" in report.detail


def test_an_allow_of_our_own_making() -> None:
    """A block of the witness cannot be turned into an allow by saying that somebody else decided."""
    parties = two_parties(3)
    parties.proxy.drafts[3] = replace(parties.proxy.drafts[3], verdict="allow", governor="local", witness=None)
    assert compare(parties).fault == "rewritten"


def test_dropped_by_the_witness() -> None:
    """The witness's own signature in our certificate shows what it had."""
    parties = two_parties()
    del parties.witness.drafts[2]
    report = compare(parties)
    assert (report.exit, report.fault, report.line) == (Exit.TAMPERED, "witness-dropped", 3)


def test_rewritten_by_the_witness() -> None:
    """It signed an allow, and its journal says block: its signature tells who is wrong."""
    parties = two_parties()
    record = parties.witness.drafts[2].record
    assert record is not None
    changed = {"question": {**record["question"], "status": "BLOCKED"}}
    parties.witness.drafts[2] = replace(parties.witness.drafts[2], record=changed)
    report = compare(parties)
    assert (report.exit, report.fault) == (Exit.TAMPERED, "witness-rewrote")


def test_answers_that_came_too_late() -> None:
    """A fail_closed certificate bears no signature: the answer was not used. Nobody did anything wrong."""
    parties = Parties()
    parties.ask(1)
    parties.record(1, "fail_closed")
    parties.decide(2)
    parties.close()
    assert compare(parties, require_external=True).exit is Exit.WHOLE


def test_asked_together() -> None:
    """Questions that were asked at once show one head, and their records come in any order."""
    parties = Parties()
    head = parties.proxy.head
    answers = {number: parties.ask(number, head=head) for number in (1, 2, 3)}
    for number in (3, 1, 2):
        parties.record(number, witness=answers[number])
    parties.close()
    assert compare(parties, require_external=True).exit is Exit.WHOLE


def test_a_question_that_was_asked_twice() -> None:
    """The retry of a dropped connection is in the witness's journal twice, with one certificate."""
    parties = Parties()
    head = parties.proxy.head
    parties.ask(1, head=head)
    parties.record(1, witness=parties.ask(1, head=head))
    parties.close()
    assert compare(parties, require_external=True).exit is Exit.WHOLE


@pytest.mark.parametrize("trace", ["recovered", "void", "session_open"])
def test_an_answer_without_a_record_after_a_failure(trace: str) -> None:
    """A crash or a full disk between answer and record: the journal says so itself, and the end is not fully proven."""
    parties = two_parties(2)
    for chain in (parties.proxy, parties.witness):
        del chain.drafts[-1]
    parties.ask(3)
    parties.proxy.note(trace, 1100)
    parties.decide(4)
    parties.close()
    report = compare(parties)
    assert report.exit is Exit.WHOLE
    assert report.proven_against == "accident"
    assert "1 of its answers have no record where the journal says that none could be written" in report.notes[0]
    assert compare(parties, require_external=True).exit is Exit.UNPROVEN


def test_a_failure_much_later_explains_nothing() -> None:
    """The proxy went on for hours after the answer: a crash then is not why its record is missing."""
    parties = two_parties(2)
    for chain in (parties.proxy, parties.witness):
        del chain.drafts[-1]
    parties.ask(3)
    parties.proxy.note("suppressed", 1003)
    parties.proxy.note("suppressed", 1003 + 7200)
    parties.proxy.note("recovered", 1003 + 7201)
    parties.close()
    assert compare(parties).fault == "dropped"


def test_an_open_journal() -> None:
    """A running proxy has answers that are not recorded yet; its end is not proven, and nobody is accused."""
    parties = two_parties(2)
    for chain in (parties.proxy, parties.witness):
        del chain.drafts[-1]
    parties.ask(3)
    report = compare(parties)
    assert (report.exit, report.fault) == (Exit.UNPROVEN, "truncated")


def test_an_older_copy_of_the_witness() -> None:
    """What was decided after the witness's journal was copied is not held against it, nor proven by it."""
    parties = two_parties(6)
    del parties.witness.drafts[5:]
    report = compare(parties)
    assert (report.exit, report.proven_against) == (Exit.WHOLE, "accident")
    assert "2 decisions are later than its copy" in report.notes[0]
    assert "its own journal does not end with session_close" in report.notes[0]


def test_decisions_nobody_witnessed() -> None:
    """A service that does not sign proves nothing, and it is said for how many decisions."""
    parties = two_parties(2)
    close = parties.proxy.drafts.pop()
    parties.record(9)
    parties.proxy.add(close)
    report = compare(parties)
    assert (report.exit, report.proven_against) == (Exit.WHOLE, "accident")
    assert "1 decisions of a service bear no witness's signature" in report.notes[0]


def test_a_witness_of_another_journal() -> None:
    """A witness that never saw this journal says so, and proves nothing."""
    parties = two_parties()
    parties.witness = Chain(WITNESS, "log_00000000000000bb")
    parties.witness.note("session_open", 1)
    report = compare(parties)
    assert report.notes == ("witness: it was never shown this journal",)
    assert (report.exit, report.proven_against) == (Exit.WHOLE, "accident")
    parties.witness.note("session_close", 2)
    assert compare(parties).fault == "witness-dropped"


def test_a_witness_with_our_own_key() -> None:
    """Whoever signs both journals proves nothing with either."""
    parties = two_parties()
    parties.witness.signer = PROXY
    report = compare(parties, require_external=True)
    assert report.exit is Exit.UNPROVEN
    assert "proves nothing" in report.notes[0]


@given(st.integers(3, 9), st.sampled_from(["proxy", "witness"]), st.data())
def test_no_rewriting_goes_unnoticed(decisions: int, party: str, data: st.DataObject) -> None:
    """Either party drops or changes one decision and signs its whole journal anew: the other one's shows it."""
    parties = two_parties(decisions)
    drafts = parties.proxy.drafts if party == "proxy" else parties.witness.drafts
    number = data.draw(st.integers(1, decisions))
    if data.draw(st.booleans()):
        del drafts[number]
    elif party == "proxy":
        drafts[number] = replace(drafts[number], verdict="block" if drafts[number].verdict == "allow" else "allow")
    else:
        question = (drafts[number].record or {})["question"]
        status = "BLOCKED" if question["status"] == "ALLOWED" else "ALLOWED"
        drafts[number] = replace(drafts[number], record={"question": {**question, "status": status}})
    report = compare(parties)
    assert report.exit is Exit.TAMPERED
    ours = {"rewritten", "dropped", "cut"}
    assert (report.fault in ours) if party == "proxy" else (report.fault not in ours)


def test_heads_of_an_empty_journal() -> None:
    """The very first question may show a journal with nothing but its beginning."""
    parties = Parties()
    parties.proxy.drafts.clear()
    parties.decide(1)
    assert parties.proxy.head == LogLink(id=parties.proxy.log_id, seq=1, prev=parties.proxy.head.prev)
    parties.close()
    assert compare(parties, require_external=True).exit is Exit.WHOLE
