"""What every ``IAuditSink`` must do, the pipeline's fake included: a test double that lies would hide defects."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from eve_proxy.enforcement.library.deadline import Deadline
from eve_proxy.enforcement.library.ports import CallSink, HastySink
from eve_proxy.enforcement.library.waiting import BlockingWait
from eve_proxy.interfaces import IAuditSink
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.errors import SigningFailed
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.verification import verify_certificate
from tests.fakes.journal import Bench, draft
from tests.fakes.library import process_journal
from tests.fakes.ports import SECRET, FakeClock, FakeSink


class BrokenSigner(HmacSigner):
    """Its key is gone."""

    __slots__ = ("broken",)

    def sign(self, content_hash: str) -> str:
        if getattr(self, "broken", False):
            raise OSError("the key store is gone")
        return super().sign(content_hash)


def a_journal(folder: Path, signer: BrokenSigner) -> IAuditSink:
    return Bench(folder / "events.jsonl", signer=signer).journal


def a_fake(folder: Path, signer: BrokenSigner) -> IAuditSink:
    sink = FakeSink()
    sink.signer = signer
    return sink


def a_library_process(folder: Path, signer: BrokenSigner) -> IAuditSink:
    journal = process_journal(folder, signer=signer)
    return CallSink(journal, BlockingWait(), Deadline(FakeClock(), 20))


def a_hasty_one(folder: Path, signer: BrokenSigner) -> IAuditSink:
    return HastySink(process_journal(folder, signer=signer))


SINKS: dict[str, Callable[[Path, BrokenSigner], IAuditSink]] = {
    "journal": a_journal,
    "fake": a_fake,
    "library": a_library_process,
    "library, not waiting": a_hasty_one,
}
sinks = pytest.mark.parametrize("make", SINKS.values(), ids=SINKS)


def result(awaitable: Any) -> Any:
    """What it came to, which must be at once: nothing here is asynchronous."""
    deferred = awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(awaitable)
    caught: list[Any] = []
    deferred.addBoth(caught.append)
    if hasattr(caught[0], "value"):
        raise caught[0].value
    return caught[0]


@sinks
def test_provides_its_port(make: Callable[..., IAuditSink], tmp_path: Path) -> None:
    """The pipeline can be given it."""
    assert verifyObject(IAuditSink, make(tmp_path, BrokenSigner(SECRET)))


@sinks
def test_records_form_one_chain(make: Callable[..., IAuditSink], tmp_path: Path) -> None:
    """Each record is signed, keeps its draft, and names the one before it."""
    sink = make(tmp_path, BrokenSigner(SECRET))
    made: list[DecisionCertificate] = [result(sink.record(draft(number))) for number in range(4)]
    for number, certificate in enumerate(made):
        assert certificate.draft == draft(number)
        assert certificate.log is not None
        assert verify_certificate(certificate.line, SECRET)
    for before, after in itertools.pairwise(made):
        assert before.log is not None
        assert after.log is not None
        assert (after.log.id, after.log.seq, after.log.prev) == (
            before.log.id,
            before.log.seq + 1,
            before.content_hash,
        )


@sinks
def test_failed_signature_is_signing_failed(make: Callable[..., IAuditSink], tmp_path: Path) -> None:
    """A broken key is reported as that, and the chain goes on as if nothing had been asked."""
    signer = BrokenSigner(SECRET)
    sink = make(tmp_path, signer)
    first = result(sink.record(draft(1)))
    signer.broken = True
    with pytest.raises(SigningFailed):
        result(sink.record(draft(2)))
    signer.broken = False
    assert result(sink.record(draft(3))).log.seq == first.log.seq + 1
