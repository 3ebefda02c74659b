"""The process's own numbers, beside those of the client library."""

from __future__ import annotations

import gc
import os
import resource
from pathlib import Path

import pytest
from prometheus_client import ProcessCollector

from eve_proxy.metrics.process import ProcessNumbers


def values(collector: object) -> dict[str, tuple[str, float]]:
    return {family.name: (family.type, family.samples[0].value) for family in collector.collect()}  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="there is no /proc/stat to compare with")
def test_the_same_names_as_every_prometheus_client() -> None:
    """Dashboards for processes work: names, types and magnitudes are those of the library."""
    gc.collect()
    numbers = ProcessNumbers(1_700_000_000.0)
    ours, theirs, after = values(numbers), values(ProcessCollector(registry=None)), values(numbers)
    assert {name: kind for name, (kind, _) in ours.items()} == {name: kind for name, (kind, _) in theirs.items()}
    for name in set(ours) - {"process_start_time_seconds"}:
        low, high = sorted((ours[name][1], after[name][1]))  # what earlier tests left may go at any moment
        assert 0.9 * low - 3 <= theirs[name][1] <= 1.1 * high + 3, name
    assert ours["process_start_time_seconds"] == ("gauge", 1_700_000_000.0)


@pytest.mark.parametrize(("told", "shown"), [(7000, 7000), (9, 7), (0, 7)], ids=["many", "few", "a silent kernel"])
def test_open_files(tmp_path: Path, told: int, shown: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted where they are few, or the kernel does not say how many there are."""
    (tmp_path / "statm").write_bytes(b"100 10 1 1 0 1 0\n")
    (tmp_path / "fd").mkdir()
    for number in range(7):
        (tmp_path / "fd" / str(number)).touch()
    real = os.stat

    def stat(path: str) -> os.stat_result:
        return os.stat_result((*real(path)[:6], told, *real(path)[7:10]))

    monkeypatch.setattr(os, "stat", stat)
    found = list(ProcessNumbers(0, str(tmp_path)).collect())
    by_name = {family.name: family.samples[0].value for family in found}
    assert by_name["process_open_fds"] == shown
    assert by_name["process_resident_memory_bytes"] == 10 * resource.getpagesize()


def test_what_is_not_told_is_left_out(tmp_path: Path) -> None:
    """Without /proc there is no memory and no count of files; the page is there all the same."""
    found = values(ProcessNumbers(5.0, str(tmp_path)))
    assert set(found) == {"process_start_time_seconds", "process_cpu_seconds", "process_max_fds"}
