"""The index over a witness's journal."""

from __future__ import annotations

import pytest

from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.witness_log import WitnessLog
from tests.fakes.parties import Parties, two_parties


def indexed(parties: Parties) -> WitnessLog:
    log = WitnessLog()
    for line in parties.witness.lines():
        log.take(read_line(line[:-1]))
    log.ready()
    return log


def test_answers_are_found_by_head_and_by_certificate() -> None:
    """What was asked about one certificate, or shown one place, is found, with its line."""
    parties = two_parties(3)
    log, log_id = indexed(parties), parties.proxy.log_id
    (answer,) = log.about(log_id, "cert_0000000000000002")
    assert (answer.line, answer.seq) == (3, 2)
    assert log.shown(log_id, 2) == [answer]
    assert log.about("log_00000000000000cc", "cert_0000000000000002") == []
    assert (log.furthest(log_id), log.furthest("log_00000000000000cc")) == (3, None)
    assert (log.closed, log.key_ids) == (True, {parties.witness.signer.key_id})


def test_what_was_not_matched_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer that no certificate was found for comes back, in order, however many there are."""
    monkeypatch.setattr("eve_proxy.signing.witness_log._BATCH", 2)
    parties = two_parties(5)
    log, log_id = indexed(parties), parties.proxy.log_id
    for number in (2, 4):
        log.match(*log.about(log_id, f"cert_{number:016x}"))
    log.reached(log_id, 1, "2026-04-16T14:22:03.847Z")
    left = list(log.unmatched(log_id))
    assert [answer.request_id[-1] for answer in left] == ["1", "3", "5"]
    assert [answer.asked_by for answer in left] == ["2026-04-16T14:22:03.847Z", None, None]


def test_the_furthest_head_beyond_the_end() -> None:
    """A head past the journal's end is the proof that its end is missing."""
    parties = two_parties(3)
    log, log_id = indexed(parties), parties.proxy.log_id
    beyond = log.beyond(log_id, 1)
    assert beyond is not None
    assert beyond.seq == 3
    assert log.beyond(log_id, 3) is None


@pytest.mark.parametrize(
    "question",
    [
        None,
        {},
        "x",
        {"request_id": "r", "status": "ALLOWED", "log": None, "signature": "s"},
        {"request_id": "r", "status": "ALLOWED", "log": {"id": 1, "seq": 2, "prev": "p"}, "signature": "s"},
    ],
)
def test_records_that_bind_nothing_are_passed_over(question: object) -> None:
    """A question without a head is in the witness's journal, and of no use here."""
    parties = Parties()
    parties.decide(1)
    parties.witness.drafts[1].record["question"] = question  # type: ignore[index]
    log = indexed(parties)
    assert list(log.unmatched(parties.proxy.log_id)) == []


def test_an_open_witness_may_be_an_older_copy() -> None:
    """Only the last thousand questions can be later than a copy; a closed journal has none that are."""
    parties = two_parties(2)
    closed = indexed(parties)
    del parties.witness.drafts[-1]
    open_ = indexed(parties)
    log_id = parties.proxy.log_id
    assert not closed.may_be_older(log_id, 5)
    assert open_.may_be_older(log_id, 5)
