"""Rights, users and limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.doctor import rights
from eve_proxy.doctor.finding import Result
from eve_proxy.doctor.machine import Machine
from eve_proxy.doctor.plan import read_authority
from tests.doctor.bench import Bench

MACHINE = Machine(uid=4321, capabilities=0, open_files=1024, listeners={3128: 1337}, proc=Path("/nowhere"))


@pytest.mark.parametrize(
    ("held", "result"),
    [(0, Result.OK), (1 << 1, Result.OK), (1 << 12, Result.FAIL), (1 << 13, Result.FAIL), (None, Result.SKIP)],
)
def test_privileges(held: int | None, result: Result) -> None:
    """NET_ADMIN removes rules, NET_RAW sends around them; no other right matters here."""
    assert rights.privileges(replace(MACHINE, capabilities=held)).result is result


def test_the_same_user() -> None:
    """Told from the listening socket; only where the proxy is on this machine."""
    bench = Bench()
    assert rights.same_user(bench.tools, MACHINE).result is Result.OK
    assert rights.same_user(bench.tools, replace(MACHINE, uid=1337)).result is Result.FAIL
    assert rights.same_user(bench.tools, replace(MACHINE, listeners={})).result is Result.SKIP
    elsewhere = Bench(proxy=read_authority("10.0.0.5:3128", None))
    assert rights.same_user(elsewhere.tools, replace(MACHINE, uid=1337)).result is Result.SKIP


@pytest.mark.parametrize(("limit", "result"), [(None, Result.OK), (1024, Result.OK), (255, Result.WARN)])
def test_own_files(limit: int | None, result: Result) -> None:
    """Few are said."""
    assert rights.file_limit(replace(MACHINE, open_files=limit)).result is result


class Known(Machine):
    """A machine on which the proxy's process can be seen."""

    def daemons_open_files(self, pid: int, uid: int) -> int | None:
        return 2256 if (pid, uid) == (42, 1337) else None


@pytest.mark.parametrize(
    ("record", "environ", "result"),
    [
        ({"pid": 42}, {}, Result.OK),
        ({"pid": 42}, {"EVE_PROXY_MAX_CONNECTIONS": "1001"}, Result.WARN),
        ({"pid": 42}, {"EVE_PROXY_MAX_CONNECTIONS": "many"}, Result.OK),
        ({"pid": 43}, {}, Result.SKIP),
        ({"pid": "42"}, {}, Result.SKIP),
        ({}, {}, Result.SKIP),
        (None, {}, Result.SKIP),
    ],
)
def test_the_proxys_files(record: Any, environ: dict[str, str], result: Result) -> None:
    """By the process that opened the journal; against EVE_PROXY_MAX_CONNECTIONS where this environment has it."""
    bench = Bench()
    bench.daemon.record(kind="session_open", verdict=None, request=None, record=record)
    known = Known(uid=4321, capabilities=0, open_files=1024, listeners={3128: 1337}, proc=Path("/nowhere"))
    assert rights.daemons_file_limit(bench.tools, known, environ).result is result
