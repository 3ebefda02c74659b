"""One writer per journal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eve_proxy.audit.lock import JournalLocked, take_lock
from eve_proxy.model.errors import JournalUnavailable


def test_second_opener_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """A second daemon does not start, and says which process has the journal and what to do."""
    journal = tmp_path / "events.jsonl"
    lock = take_lock(journal)
    with pytest.raises(JournalLocked) as caught:
        take_lock(journal)
    assert f"process {os.getpid()};" in str(caught.value)
    assert "EVE_PROXY_AUDIT_LOG" in str(caught.value)
    assert isinstance(caught.value, JournalUnavailable)
    lock.release()
    lock.release()
    take_lock(journal).release()


def test_lock_ends_with_its_process(tmp_path: Path) -> None:
    """After kill -9 the next daemon starts without cleaning anything up."""
    script = (
        "import os, sys, pathlib\n"
        "from eve_proxy.audit.lock import take_lock\n"
        "lock = take_lock(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    journal = tmp_path / "events.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(journal)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(JournalLocked, match=f"process {holder.pid};"):
            take_lock(journal)
        holder.kill()
        holder.wait()
    take_lock(journal).release()


def test_other_errors_are_not_mistaken_for_a_holder(tmp_path: Path) -> None:
    """A directory that is missing is said to be missing."""
    with pytest.raises(FileNotFoundError):
        take_lock(tmp_path / "absent" / "events.jsonl")
