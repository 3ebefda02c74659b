"""What ``/proc`` says, from a folder that looks like it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eve_proxy.doctor.machine import Machine, monotonic, token, wall

STATUS = "Name:\tpython\nCapInh:\t0000000000000000\nCapEff:\t0000000000003000\nCapBnd:\t000001ffffffffff\n"
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENING = "   0: 0100007F:0C38 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 1 1\n"
CONNECTED = "   1: 0100007F:0C39 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1\n"
SIX = "   0: 00000000000000000000000000000000:3A99 00000000000000000000000000000000:0000 0A 0:0 0:0 0  1338  0 3 1\n"
LIMITS = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            20256                20256                files\n"  # noqa: E501


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for folder in ("self", "net", "42"):
        (tmp_path / folder).mkdir()
    (tmp_path / "self/status").write_text(STATUS)
    (tmp_path / "net/tcp").write_text(HEAD + LISTENING + CONNECTED)
    (tmp_path / "net/tcp6").write_text(HEAD + SIX)
    (tmp_path / "42/cmdline").write_bytes(b"python\0/bin/twistd\0-n\0eve-sidecar\0")
    (tmp_path / "42/limits").write_text(LIMITS)
    return tmp_path


def test_rights_and_listeners(proc: Path) -> None:
    """Effective rights; who listens at which port, by both IP versions, and nobody who is merely connected."""
    machine = Machine.read(proc)
    assert machine.capabilities == 0x3000
    assert machine.listeners == {3128: 1337, 15001: 1338}
    assert machine.uid == os.geteuid()


def test_a_proc_that_is_hidden(tmp_path: Path) -> None:
    """Nothing is known, and nothing breaks."""
    machine = Machine.read(tmp_path)
    assert (machine.capabilities, machine.listeners) == (None, {})
    assert machine.daemons_open_files(42, 0) is None


def test_the_daemons_limit(proc: Path) -> None:
    """Only of a process that is the proxy: its user and its command."""
    machine, owner = Machine.read(proc), (proc / "42").stat().st_uid
    assert machine.daemons_open_files(42, owner) == 20256
    assert machine.daemons_open_files(42, owner + 1) is None
    (proc / "42/limits").write_text(LIMITS.replace("20256", "unlimited"))
    assert machine.daemons_open_files(42, owner) is None
    (proc / "42/cmdline").write_bytes(b"nginx\0")
    assert machine.daemons_open_files(42, owner) is None


def test_tokens_and_clocks() -> None:
    """16 hex digits, never the same; a clock that goes on and one of the calendar."""
    first, second = token(), token()
    assert len(first) == len(second) == 16
    assert int(first, 16) != int(second, 16)
    assert monotonic() <= monotonic()
    assert wall() > 1_700_000_000
