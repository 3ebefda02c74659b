"""The warning before the disk is full."""

from __future__ import annotations

import pytest

from eve_proxy.audit.file import FreeSpace
from eve_proxy.audit.space import SpaceWatch, low_disk_warning
from tests.fakes.journal import PLENTY, JournalClock, Thread, io_error

MIB = 1 << 20


@pytest.mark.parametrize(
    ("free", "total", "low"),
    [
        (256 * MIB, 1024 * MIB, False),
        (256 * MIB - 1, 1024 * MIB, True),
        (500 * MIB, 10_000 * MIB, False),
        (499 * MIB, 10_000 * MIB, True),
        (0, 0, True),
    ],
)
def test_limits(free: int, total: int, low: bool) -> None:
    """An operator is warned under 5 % or 256 MiB, whichever comes first."""
    assert (low_disk_warning(FreeSpace(free=free, total=total)) is not None) is low


def test_measures_every_five_seconds_at_most_and_elsewhere() -> None:
    """A busy proxy does not ask the file system at each request, and never on the reactor's thread."""
    clock, thread = JournalClock(), Thread()
    thread.held = True
    watch = SpaceWatch(PLENTY, clock=clock, offload=thread)
    full = FreeSpace(free=0, total=20 << 30)
    for _ in range(49):
        clock.advance(0.1)
        watch.look(lambda: full)
    assert not thread.jobs
    clock.advance(0.2)
    watch.look(lambda: full)
    watch.look(lambda: full)
    assert len(thread.jobs) == 1
    assert watch.warning is None
    thread.run()
    assert watch.warning == "low disk: 0 MiB (0 %) left for the journal"
    clock.advance(5.1)
    watch.look(lambda: PLENTY)
    thread.run()
    assert watch.warning is None


def test_file_system_that_cannot_be_asked() -> None:
    """A failing statvfs changes nothing; the next write tells what is wrong."""

    def fail() -> FreeSpace:
        raise io_error()

    clock = JournalClock()
    watch = SpaceWatch(PLENTY, clock=clock, offload=Thread())
    clock.advance(6)
    watch.look(fail)
    assert watch.warning is None
