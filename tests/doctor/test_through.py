"""What the proxy itself must refuse."""

from __future__ import annotations

import pytest

from eve_proxy.doctor import through
from eve_proxy.doctor.finding import Finding, Result
from tests.doctor.bench import PROXY, REFUSED, SILENT, Bench, said


def three(bench: Bench) -> list[Finding]:
    bench.proxy.meet()
    return [
        through.port(bench.tools, "port"),
        through.tunnel(bench.tools, "loopback", through.LOOPBACK),
        through.request(bench.tools, "metadata", "169.254.169.254"),
    ]


def test_refused() -> None:
    """451 with a certificate, and the rule's name."""
    found = three(Bench())
    assert [each.result for each in found] == [Result.OK] * 3
    assert "connect_port" in found[0].meaning


@pytest.mark.parametrize("status", [200, 502])
def test_let_out(status: int) -> None:
    """200, and 502 as well: it was allowed."""
    bench = Bench()
    bench.daemon.verdicts = dict.fromkeys(bench.daemon.verdicts, (status, None))
    found = three(bench)
    assert [each.result for each in found] == [Result.FAIL] * 3
    assert "EVE_PROXY_CONNECT_PORTS" in str(found[0].advice)
    assert "EVE_PROXY_ALLOWED_NETWORKS" in str(found[1].advice)


@pytest.mark.parametrize(("status", "result"), [(403, Result.SKIP), (503, Result.WARN)])
def test_no_rule_was_asked(status: int, result: Result) -> None:
    """A stranger, and a proxy that fails closed, show nothing of the rules."""
    bench = Bench()
    bench.daemon.verdicts = dict.fromkeys(bench.daemon.verdicts, (status, None))
    assert [each.result for each in three(bench)] == [result] * 3


def test_a_refusal_of_somebody_else() -> None:
    """451 without a certificate of this request is not the proxy's."""
    bench = Bench()
    bench.daemon.stamped = lambda header: "{}"
    assert [each.result for each in three(bench)] == [Result.FAIL] * 3


def test_no_proxy_and_no_answer() -> None:
    """Not reachable cannot be told; reachable and silent cannot be vouched for."""
    bench = Bench()
    bench.network.streams[PROXY] = REFUSED
    assert [each.result for each in three(bench)] == [Result.SKIP] * 3
    bench.network.streams[PROXY] = said(200)
    bench.proxy.meet()
    bench.network.streams[PROXY] = SILENT
    assert through.port(bench.tools, "port").result is Result.WARN
