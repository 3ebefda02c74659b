"""The exception as a program and its log see it."""

from __future__ import annotations

import pickle

from eve_proxy.enforcement.library.errors import FailClosedError
from tests.fakes.library import VETO, LibraryBench, refusal


def test_its_text_is_a_line_for_the_log() -> None:
    """It says what, by which pillar, why, and the record's number."""
    error = refusal(LibraryBench(VETO).enforce()(print))
    assert str(error) == "block (pillar 128): no [cert_0000000000000001]"
    assert str(FailClosedError("signing failed", None)) == "fail_closed: signing failed (no certificate)"


def test_it_crosses_process_borders() -> None:
    """A worker process can raise it to its parent: certificate and all."""
    error = refusal(LibraryBench(VETO).enforce()(print))
    copy = pickle.loads(pickle.dumps(error))
    assert copy.certificate == error.certificate
    assert str(copy) == str(error)
