"""The decision point as a witness: what it says is signed and written down first, or not said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock

from eve_proxy.governor_witness import AnswerWitness, Keeping
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.pdp.contract import judge
from eve_proxy.pdp.policy_file import load_policy
from eve_proxy.signing.journal_walk import Exit, walk
from eve_proxy.signing.private_key import Ed25519Signer
from tests.contract.test_suite import RECORDED
from tests.fakes.journal import Bench
from tests.fakes.keys import ed25519
from tests.fakes.ports import FakeClock

POLICY = load_policy()
SIGNER = Ed25519Signer(ed25519(2))
JUDGED = judge(POLICY, orjson.dumps(RECORDED["forward-json"]["question"]))


def said(witness: AnswerWitness, number: int = 1) -> list[tuple[int, Any]]:
    answers: list[tuple[int, Any]] = []
    Deferred.fromCoroutine(witness.answer(JUDGED, f"aud_{number:016x}", witness.now())).addCallback(
        lambda answer: answers.append((answer[0], json.loads(answer[1])))
    )
    return answers


def test_nothing_is_said_before_it_is_written_down(tmp_path: Path) -> None:
    """An answer that somebody heard is in the witness's journal, whatever happens next."""
    bench = Bench(tmp_path / "governor.jsonl", signer=SIGNER)
    witness = AnswerWitness(POLICY, journal=bench.journal, signer=SIGNER, clock=FakeClock())
    bench.thread.held = True
    answers = said(witness)
    assert answers == []
    bench.thread.release()
    ((status, answer),) = answers
    assert status == 200
    record = json.loads(bench.lines()[1])
    assert record["decision_ref"] == answer["audit"]["audit_id"]
    assert record["record"]["question"]["signature"] == answer["witness"]["signature"]
    assert record["verdict"] == "allow"


def test_an_answer_that_cannot_be_written_down_is_not_given(tmp_path: Path) -> None:
    """A full disk makes the decision point say nothing: 503, which refuses the request."""
    bench = Bench(tmp_path / "governor.jsonl", signer=SIGNER)
    witness = AnswerWitness(POLICY, journal=bench.journal, signer=SIGNER, clock=FakeClock())
    bench.disk.room = 0
    ((status, answer),) = said(witness)
    assert (status, answer) == (503, {"error": "the decision could not be recorded"})
    bench.disk.room = None
    bench.clock.advance(10)
    assert said(witness, 2)[0][0] == 200


def test_errors_of_the_journal_alone_are_expected() -> None:
    """A defect is not turned into an answer."""

    class Broken:
        def record(self, draft: object) -> Deferred[Any]:
            return fail(ValueError("a defect"))

    witness = AnswerWitness(POLICY, journal=Broken(), signer=SIGNER, clock=FakeClock())  # type: ignore[arg-type]
    found: list[Any] = []
    Deferred.fromCoroutine(witness.answer(JUDGED, "aud_1", 0.0)).addErrback(found.append)
    assert found[0].check(ValueError)


def test_the_journal_is_opened_and_closed(tmp_path: Path) -> None:
    """Its own journal verifies with its own key alone; a second service cannot write it."""
    reactor: Any = MemoryReactorClock()
    reactor.callFromThread = lambda function, *arguments: function(*arguments)
    path = tmp_path / "governor.jsonl"
    keeping = Keeping(path, SIGNER, POLICY, reactor=reactor)
    witness = keeping.open()
    assert json.loads(witness.jwks)["keys"][0]["kid"] == SIGNER.key_id
    with pytest.raises(SystemExit, match=r"eve-governor cannot start: the journal .* is being written"):
        Keeping(path, SIGNER, POLICY, reactor=reactor).open()
    with path.open("rb") as stream:
        assert walk(stream, [SIGNER]).exit is Exit.UNPROVEN
    record = json.loads(path.read_bytes())
    assert (record["caller"], record["kind"]) == ("eve-governor", "session_open")


def test_a_close_that_fails_is_logged(tmp_path: Path) -> None:
    """The service stops all the same."""
    reactor: Any = MemoryReactorClock()
    reactor.callFromThread = None
    keeping = Keeping(tmp_path / "g.jsonl", SIGNER, POLICY, reactor=reactor)
    nothing: Deferred[None] = keeping.close()
    assert nothing.called

    class Stuck:
        def close(self) -> Deferred[None]:
            return fail(JournalUnavailable("disk"))

    keeping._journal = Stuck()  # type: ignore[assignment]
    ended: list[object] = []
    keeping.close().addBoth(ended.append)
    assert ended == [None]
