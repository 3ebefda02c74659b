"""The ways in: what the proxy says of itself, and what a governed request shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eve_proxy.doctor import ways_in
from eve_proxy.doctor.finding import Finding, Result
from eve_proxy.doctor.plan import read_target
from eve_proxy.signing.private_key import Ed25519Signer
from tests.doctor.bench import PROXY, REFUSED, SECRET, SILENT, WALL, Bench, said
from tests.fakes.keys import ed25519


def health(bench: Bench) -> dict[str, Finding]:
    bench.proxy.meet()
    found = ways_in.health(bench.tools)
    assert [each.check for each in found] == list(ways_in.HEALTH)
    return {each.check: each for each in found}


def governed(bench: Bench) -> dict[str, Finding]:
    bench.proxy.meet()
    found = ways_in.governed(bench.tools)
    assert [each.check for each in found] == [*ways_in.governed_names(bench.plan.targets), *ways_in.EVIDENCE]
    return {each.check: each for each in found}


def test_a_healthy_proxy() -> None:
    """Nothing to do."""
    assert {each.result for each in health(Bench()).values()} == {Result.OK}


def test_nobody_is_there() -> None:
    """One failure, and the rest cannot be told."""
    bench = Bench()
    bench.network.streams[PROXY] = REFUSED
    found = [*health(bench).values(), *governed(bench).values()]
    assert [each.result for each in found] == [Result.FAIL] + [Result.SKIP] * (len(found) - 1)


@pytest.mark.parametrize("page", ["/healthz", "/readyz"])
@pytest.mark.parametrize("heard", [said(404), SILENT])
def test_something_else_is_there(page: str, heard: object) -> None:
    """Another server at the proxy's port."""
    bench = Bench()
    bench.daemon.pages[page] = heard  # type: ignore[assignment]
    assert health(bench)[page[1:]].result is Result.FAIL


def test_not_ready() -> None:
    """The reason is shown as it was given."""
    bench = Bench()
    bench.daemon.pages["/readyz"] = said(503, b"the journal cannot be written: No space left on device\n")
    found = health(bench)["readyz"]
    assert (found.result, "No space left" in found.meaning) == (Result.FAIL, True)


@pytest.mark.parametrize(
    ("warning", "check", "result"),
    [
        ("fail_open", "fail-closed", Result.FAIL),
        ("sync off", "journal-sync", Result.WARN),
        ("low disk: 3 % free", "journal-disk", Result.WARN),
        ("journal displaced: no room", "journal-disk", Result.WARN),
        ("governance breaker open", "governor", Result.WARN),
    ],
)
def test_warnings(warning: str, check: str, result: Result) -> None:
    """Each X-EVE-Warning is one check, and only that one."""
    bench = Bench()
    bench.daemon.warning = warning
    found = health(bench)
    assert found[check].result is result
    assert [each.check for each in found.values() if each.result is not Result.OK] == [check]


def test_governed_by_http_and_connect() -> None:
    """Decided, certified, recorded, in time."""
    found = governed(Bench(key=SECRET))
    assert {each.result for each in found.values()} == {Result.OK}
    assert "key that was given" in found["certificate"].meaning


@pytest.mark.parametrize(
    ("status", "rule", "result"),
    [
        (403, None, Result.FAIL),
        (451, "blocklist", Result.WARN),
        (451, "passthrough", Result.OK),
        (502, None, Result.FAIL),
        (503, None, Result.FAIL),
    ],
)
def test_a_target_that_is_not_let_out(status: int, rule: str | None, result: Result) -> None:
    """A refusal by the policy is not a broken way in; a stranger's 403, a 502 and a 503 are."""
    bench = Bench(targets=(read_target("https://web.example/"),))
    bench.daemon.verdicts["CONNECT web.example:443"] = (status, rule)
    assert governed(bench)["governed-https"].result is result


def test_an_answer_without_a_certificate() -> None:
    """Something else than the proxy answered, or something between took it away."""
    bench = Bench()
    bench.daemon.stamped = lambda header: ""
    found = governed(bench)
    assert found["governed-http"].result is Result.FAIL
    assert [found[check].result for check in ways_in.EVIDENCE] == [Result.SKIP] * 4


def test_no_answer() -> None:
    """A proxy that hangs."""
    bench = Bench()
    bench.proxy.meet()
    bench.network.streams[PROXY] = SILENT
    assert ways_in.governed(bench.tools)[0].result is Result.FAIL


def test_the_published_key_shows_little() -> None:
    """It is said that the proxy only agrees with itself."""
    found = governed(Bench(signer=Ed25519Signer(ed25519())))["certificate"]
    assert (found.result, "agrees with itself" in found.meaning) == (Result.OK, True)


def test_a_secret_that_is_not_here() -> None:
    """An application should not have it: not a fault."""
    assert governed(Bench())["certificate"].result is Result.SKIP


def test_another_key() -> None:
    """The auditor's key is not the one that signs."""
    found = governed(Bench(key=b"another secret, of 32 bytes at least"))["certificate"]
    assert (found.result, "--jwks" in str(found.advice)) == (Result.FAIL, True)


def _not_durable(bench: Bench) -> None:
    bench.daemon.unrecorded = True


def _lost(bench: Bench) -> None:
    bench.daemon.pages["/certificates/cert_0000000000000000"] = said(404)


def _hidden(bench: Bench) -> None:
    bench.daemon.pages["/certificates/cert_0000000000000000"] = said(403)


@pytest.mark.parametrize(
    ("change", "result"), [(_not_durable, Result.FAIL), (_lost, Result.FAIL), (_hidden, Result.SKIP)]
)
def test_the_record(change: Callable[[Bench], None], result: Result) -> None:
    """Without a line, not to be found, or not shown to this client."""
    bench = Bench(key=SECRET)
    change(bench)
    assert governed(bench)["journal-record"].result is result


@pytest.mark.parametrize(("apart", "result"), [(0, Result.OK), (6, Result.WARN), (-6, Result.WARN), (61, Result.FAIL)])
def test_the_proxys_clock(apart: float, result: Result) -> None:
    """Five seconds are said, a minute is a fault, whoever is ahead."""
    bench = Bench()
    bench.daemon.wall = WALL + apart
    assert governed(bench)["clock"].result is result


@pytest.mark.parametrize(
    ("date", "result"),
    [
        ("Thu, 16 Apr 2026 14:02:23 GMT", Result.OK),
        ("Thu, 16 Apr 2026 15:02:23 GMT", Result.FAIL),
        ("Thu, 16 Apr 2026 14:02:23 -0000", Result.OK),
        ("yesterday", Result.SKIP),
        ("", Result.SKIP),
    ],
)
def test_the_targets_clock(monkeypatch: pytest.MonkeyPatch, date: str, result: Result) -> None:
    """By the Date of its answer, where there is one."""
    monkeypatch.setattr("tests.doctor.bench.DATE", date)
    assert governed(Bench())["clock-outside"].result is result
