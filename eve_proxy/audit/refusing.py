"""What is answered for a record that is not durable, and how a disk's trouble is put into words. For both journals."""

from __future__ import annotations

from eve_proxy.audit.records import Records
from eve_proxy.interfaces import ISigner
from eve_proxy.model.certificate import Draft
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.signing.seal import seal


def refusal(draft: Draft, problem: str, records: Records, signer: ISigner) -> JournalUnavailable:
    """The error for ``draft`` whose line is not durable, with its ``fail_closed`` certificate without a line."""
    said = records.refusal(draft, problem)
    if said is None:
        return JournalUnavailable(problem)
    try:
        return JournalUnavailable(problem, seal(said, None, signer))
    except SigningFailed:
        return JournalUnavailable(problem)


def unwritable(error: BaseException | None) -> str:
    """Why the journal cannot be written, on one line, without its path: this text goes into certificates."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the journal cannot be written: {said or type(error).__name__}"


def too_slow(timeout: float) -> str:
    """Why a record was refused that may yet land.

    :param timeout: EVE_PROXY_AUDIT_TIMEOUT, seconds.
    """
    return f"the journal's disk did not answer within {timeout:g} s"
