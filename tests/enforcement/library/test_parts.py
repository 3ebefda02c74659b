"""What the calls of a process share."""

from __future__ import annotations

import threading

from eve_proxy.enforcement.library.parts import Parts
from tests.fakes.library import FakeJournal
from tests.fakes.ports import FakeClock, FakeEntropy, FakeGovernor


def test_functions_that_hang_leave_the_judges_alone() -> None:
    """Two pools of threads: what fills the one does not keep calls from being judged, and refused on record."""
    parts = Parts(
        governor=lambda _: FakeGovernor(),
        journal=FakeJournal(),
        clock=FakeClock(),
        entropy=FakeEntropy(),
        org_id="acme",
        max_body=1,
    )
    name = parts.functions.submit(lambda: threading.current_thread().name).result(20)
    other = parts.judges.submit(lambda: threading.current_thread().name).result(20)
    assert (name, other) == ("eve-function-0", "eve-judge-0")
    assert parts.fail_open is False
