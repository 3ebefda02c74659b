"""All checks together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.doctor import examination
from eve_proxy.doctor.examination import at_once, checks, examine, names_of
from eve_proxy.doctor.finding import Result, exit_status, ok
from eve_proxy.doctor.machine import Machine
from eve_proxy.doctor.report import all_of
from eve_proxy.model.posture import CHECK_NAME, MOST_CHECKS
from tests.doctor.bench import SECRET, Bench

MACHINE = Machine(uid=4321, capabilities=0, open_files=1024, listeners={3128: 1337}, proc=Path("/nowhere"))


def test_a_well_kept_place() -> None:
    """With rules and a proxy: exit 0, and every finding bears the name that was announced."""
    bench = Bench(rules=True, key=SECRET)
    groups = examine(bench.tools, MACHINE, {})
    found = all_of(groups)
    assert exit_status(found) == 0, [each for each in found if each.result in (Result.FAIL, Result.WARN)]
    announced = names_of(checks(bench.tools, MACHINE, {}))
    assert [each.check for each in found] == announced
    assert len(set(announced)) == len(announced) <= MOST_CHECKS
    assert all(CHECK_NAME.fullmatch(name) for name in announced)
    assert [group for group, _ in groups] == [
        examination.AROUND, examination.THROUGH, examination.WAYS_IN, examination.HERE
    ]  # fmt: skip


def test_everything_is_open() -> None:
    """Without rules, each way around by its name."""
    bench = Bench()
    for host, port in (("192.0.2.1", 80), ("192.0.2.1", 443), ("169.254.169.254", 80), ("web.example", 80)):
        bench.open(host, port)
    found = all_of(examine(bench.tools, MACHINE, {}))
    assert {each.check for each in found if each.result is Result.FAIL} == {
        "tcp-80-v4", "tcp-443-v4", "tls-nameless-v4", "metadata-v4", "no-proxy-http"
    }  # fmt: skip
    assert exit_status(found) == 1


def test_accepted() -> None:
    """What the operator knows is marked, wherever it stands."""
    bench = Bench(rules=True)
    found = all_of(examine(bench.tools, MACHINE, {"NO_PROXY": "*"}, accepted=frozenset(["no-proxy-variable"])))
    assert exit_status(found) == 0
    assert [each.check for each in found if each.accepted] == ["no-proxy-variable"]


def test_a_check_that_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are shown, and this one as not done: exit 3, not an endless wait."""

    def all_but_the_first(finds: Sequence[Callable[[], Any]], seconds: float) -> list[Any]:
        assert seconds == 30
        return [None, *(find() for find in finds[1:])]

    monkeypatch.setattr(examination, "at_once", all_but_the_first)
    found = {each.check: each for each in all_of(examine(Bench(rules=True).tools, MACHINE, {}))}
    assert found["tcp-80-v4"].result is Result.WARN
    assert "--timeout" in str(found["tcp-80-v4"].advice)
    assert found["tcp-443-v4"].result is Result.OK


def test_one_that_hangs_is_left_behind() -> None:
    """After the time for all of them."""
    never = threading.Event()
    assert at_once([lambda: [ok("a", "x")] if never.wait() else []], 0.01) == [None]
    never.set()


def test_at_once() -> None:
    """Each starts without waiting for another: the first waits here for the last."""
    last = threading.Event()

    def waits() -> list[object]:
        return [ok("a", "x")] if last.wait(5) else []

    def frees() -> list[object]:
        last.set()
        return []

    first, second = at_once([waits, frees], 5)  # type: ignore[list-item]
    assert first == [ok("a", "x")]
    assert second == []
    assert at_once([], 5) == []
