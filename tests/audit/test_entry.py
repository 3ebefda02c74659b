"""A change of key while records are under way: which key signed what, whatever the disk does in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eve_proxy.interfaces import ISigner
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, walk
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from tests.audit.test_journal import Moody, kinds, records
from tests.fakes.journal import Bench, Outcome
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET

OLD = HmacSigner(SECRET)
NEW = Ed25519Signer(ed25519())
KEYS: list[ISigner] = [OLD, NEW, P256Signer(p256()), Ed25519Signer(ed25519(2)), HmacSigner(b"another secret" * 4)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "events.jsonl")


def rotate(bench: Bench, signer: ISigner = NEW) -> Outcome:
    return Outcome(bench.journal.rotate(signer))


def signers(bench: Bench) -> list[str]:
    names = {key.key_id: name for key, name in zip(KEYS, ("old", "new", "p256", "other", "secret"), strict=True)}
    return [names[record["key_id"]] for record in records(bench)]


def found(bench: Bench) -> Exit:
    with bench.path.open("rb") as stream:
        return walk(stream, KEYS).exit


def test_the_old_key_names_the_new_one(bench: Bench) -> None:
    """The old key's last record says which key signs from then on, and carries it when it is public."""
    bench.record()
    rotated = rotate(bench)
    bench.record()
    bench.journal.close()
    assert kinds(bench) == ["session_open", "decision", "key_rotation", "decision", "session_close"]
    assert signers(bench) == ["old", "old", "old", "new", "new"]
    assert rotated.certificate is not None
    record: dict[str, Any] = json.loads(rotated.certificate.line)["record"]
    assert record == {
        "algorithm": "Ed25519",
        "jwk": dict(sorted(NEW.jwk().items())),
        "key_id": NEW.key_id,
        "previous_key_id": OLD.key_id,
    }
    assert found(bench) is Exit.WHOLE
    assert bench.journal.key_id == NEW.key_id


def test_a_secret_is_named_and_not_shown(tmp_path: Path) -> None:
    """A rotation to a shared secret tells its id only."""
    bench = Bench(tmp_path / "events.jsonl", signer=NEW)
    rotate(bench, OLD)
    assert records(bench)[-1]["record"]["jwk"] is None
    assert SECRET not in bench.path.read_bytes()


def test_records_under_way_keep_their_order(bench: Bench) -> None:
    """Decisions that were signed before and after share a commit with the rotation, and the chain holds."""
    bench.thread.held = True
    before = [bench.record() for _ in range(2)]
    rotated = rotate(bench)
    after = bench.record()
    assert rotated.pending
    bench.thread.release()
    assert all(outcome.certificate is not None for outcome in (*before, rotated, after))
    assert signers(bench) == ["old", "old", "old", "old", "new"]


@pytest.mark.parametrize("also_before", [False, True])
def test_a_full_disk_keeps_the_old_key(bench: Bench, also_before: bool) -> None:
    """When the rotation's record cannot be written the old key signs on, and whoever asked hears of it."""
    bench.thread.held = True
    if also_before:
        bench.record()
    bench.disk.room = 0
    rotated, refused = rotate(bench), bench.record()
    bench.thread.release()
    assert isinstance(rotated.error, JournalUnavailable)
    assert isinstance(refused.error, JournalUnavailable)
    assert refused.error.certificate is not None
    assert refused.error.certificate.key_id == OLD.key_id
    bench.disk.room = None
    bench.clock.advance(5)
    bench.record()
    bench.journal.close()
    assert set(signers(bench)) == {"old"}
    assert "key_rotation" not in kinds(bench)
    assert found(bench) is Exit.WHOLE


def test_a_disk_that_refuses_at_once(bench: Bench) -> None:
    """Nothing has to be under way for the old key to come back."""
    bench.disk.room = 0
    assert isinstance(rotate(bench).error, JournalUnavailable)
    assert bench.journal.key_id == OLD.key_id


def test_a_disk_that_hangs_before_it(bench: Bench) -> None:
    """A rotation that was not yet handed to the disk is withdrawn with everything else that waited."""
    bench.thread.held = True
    bench.record()
    rotated = rotate(bench)
    bench.clock.advance(5.1)
    assert isinstance(rotated.error, JournalUnavailable)
    bench.thread.release()
    bench.record()
    assert set(signers(bench)) == {"old"}


def test_a_disk_that_hangs_on_it(bench: Bench) -> None:
    """A rotation that lands late after all has taken place: no record after it has the old key."""
    bench.thread.held = True
    rotated = rotate(bench)
    refused = bench.record()
    bench.clock.advance(5.1)
    assert rotated.pending
    assert isinstance(refused.error, JournalUnavailable)
    bench.thread.release()
    assert rotated.certificate is not None
    bench.record()
    assert signers(bench) == ["old", "old", "new"]
    bench.journal.close()
    assert found(bench) is Exit.WHOLE


def test_two_at_once_that_fail(bench: Bench) -> None:
    """Two rotations that are lost together lead back to the key before both."""
    bench.thread.held = True
    bench.disk.sync_failures = 1
    first, second = rotate(bench), rotate(bench, KEYS[2])
    bench.thread.release()
    assert isinstance(first.error, JournalUnavailable)
    assert isinstance(second.error, JournalUnavailable)
    assert bench.journal.key_id == OLD.key_id


def test_not_while_it_cannot_be_written(bench: Bench) -> None:
    """A journal in trouble, or closed, refuses the rotation at once."""
    bench.disk.room = 0
    bench.record()
    assert isinstance(rotate(bench).error, JournalUnavailable)
    bench.disk.room = None
    bench.clock.advance(5)
    bench.journal.close()
    assert isinstance(rotate(bench).error, JournalUnavailable)
    assert set(signers(bench)) == {"old"}


def test_an_old_key_that_cannot_sign_any_more(tmp_path: Path) -> None:
    """Without the old key's word there is no rotation."""
    signer = Moody(SECRET)
    bench = Bench(tmp_path / "events.jsonl", signer=signer)
    signer.broken = True
    assert isinstance(rotate(bench).error, SigningFailed)
    signer.broken = False
    bench.record()
    assert signers(bench) == ["old", "old"]


STEPS = st.lists(
    st.sampled_from(["record", "rotate", "outcome", "land", "fail", "hang", "wait", "restart"]), max_size=25
)


@settings(max_examples=150)
@given(steps=STEPS, data=st.data())
def test_whatever_happens_the_journal_verifies(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], data: st.DataObject
) -> None:
    """Rotations, outcomes, failures, stalls and restarts in any order leave a chain in which each key was announced."""
    bench = Bench(tmp_path_factory.mktemp("journal") / "events.jsonl", signer=OLD)
    bench.thread.held = True
    signer: ISigner = OLD
    for step in steps:
        if step == "record":
            bench.record()
        elif step == "rotate":
            rotate(bench, data.draw(st.sampled_from(KEYS)))
        elif step == "outcome":
            bench.journal.outcome("cert_1", {"status": 200})
        elif step == "land" and bench.thread.jobs:
            bench.thread.run()
        elif step == "fail" and bench.thread.jobs:
            bench.disk.sync_failures = 1
            bench.thread.run()
            bench.disk.sync_failures = 0
        elif step == "hang":
            bench.clock.advance(5.1)
        elif step == "wait":
            bench.clock.advance(1.1)
        elif step == "restart":
            bench.thread.release()
            bench.journal.close().addErrback(lambda _: None)
            bench.clock.advance(10)
            signer = data.draw(st.sampled_from(KEYS))
            bench.journal = bench.open(signer=signer)
            bench.thread.held = True
    bench.thread.release()
    for _ in range(4):
        bench.clock.advance(5)
    assert bench.journal.problem is None
    bench.journal.close()
    assert found(bench) is Exit.WHOLE
