"""A decision service that fails in every way (law 4): nothing leaves, and the client is told in time."""

from __future__ import annotations

import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.fakes.governor import FakeGovernor
from tests.fakes.origin import Origin
from tests.integration.client import Answer, ask, connect, connect_head, get_head, pause, post, post_head, ready
from tests.integration.sidecar import Sidecar, read_all, until

DEADLINE = 0.5
LATE = 0.8
SLACK = 0.5  # the most that a client waits beyond the deadline
# What ends in no verdict, and whether that takes the whole deadline.
FAULTS = {
    "refused": False,
    "hang": True,
    "late": True,
    "slow-then-allow": True,
    "drip": True,
    "status-500": False,
    "status-401": False,
    "status-403": False,
    "status-429": False,
    "status-204": False,
    "garbage": False,
    "truncated": False,
    "oversize": False,
    "unknown-verdict": False,
    "duplicate-keys": False,
    "reset": False,
    "other-request": False,
    "empty": False,
    "not-http": False,
}
WORKING = ("allow", "no-request-id", "chunked", "close-idle")
HARSH = {"EVE_PROXY_ENFORCE_TIMEOUT": str(DEADLINE), "EVE_PROXY_GOVERNANCE_BREAKER": "0"}
ROUTES: dict[str, Callable[[Sidecar, Origin], Answer]] = {"POST": post, "CONNECT": connect}


@dataclass
class Bench:
    """Sidecars that ask the same governor, and one each whose governor is not there."""

    governor: FakeGovernor
    closed: Sidecar
    opened: Sidecar
    closed_refused: Sidecar
    opened_refused: Sidecar

    def sidecar(self, mode: str, *, fail_open: bool) -> Sidecar:
        if mode == "refused":
            return self.opened_refused if fail_open else self.closed_refused
        self.governor.mode = mode
        return self.opened if fail_open else self.closed


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with FakeGovernor(delay=LATE) as governor, FakeGovernor("refused") as absent:
        running = [
            Sidecar(
                tmp_path_factory.mktemp("sidecar"),
                EVE_PROXY_GOVERNANCE_URL=url,
                EVE_PROXY_FAIL_CLOSED=closed,
                **HARSH,
            )
            for url in (governor.url, absent.url)
            for closed in ("1", "0")
        ]
        yield Bench(governor, *running)
        for sidecar in running:
            assert sidecar.stop() == 0
            assert "Traceback" not in sidecar.output


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def in_time(answer: Answer, *, whole_deadline: bool, deadline: float = DEADLINE) -> None:
    assert answer.seconds < deadline + SLACK
    if whole_deadline:
        assert answer.seconds > deadline - 0.05
    else:
        assert answer.seconds < deadline, "it knew at once, and let the client wait"


def told(sidecar: Sidecar, answer: Answer, verdict: str) -> None:
    """The certificate is of pillar 114, stands in the journal, and the log line says the same."""
    certificate = answer.certificate
    assert certificate is not None
    assert (certificate["verdict"], certificate["matched_pillar"]) == (verdict, "114")
    assert certificate["governor"] == "127.0.0.1"
    assert certificate in sidecar.decisions()
    identifier = certificate["certificate_id"]
    line = until(lambda: [line for line in sidecar.decision_lines() if line["certificate_id"] == identifier])[0]
    assert (line["verdict"], line["pillar"], line["status"]) == (verdict, "114", answer.status)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("mode", FAULTS)
def test_no_verdict_in_time_is_a_refusal(bench: Bench, origin: Origin, mode: str, route: str) -> None:
    """Whatever the governor does instead of answering: 503 with FAIL_CLOSED in time, and the origin gets no byte."""
    sidecar = bench.sidecar(mode, fail_open=False)
    asked = len(bench.governor.questions())
    answer = ROUTES[route](sidecar, origin)
    assert answer.status == 503
    assert len(bench.governor.questions()) - asked <= 2, "at most one retry, when a kept connection was dead"
    assert (answer.refusal["status"], answer.refusal["pillar"]) == ("FAIL_CLOSED", "114")
    in_time(answer, whole_deadline=FAULTS[mode])
    told(sidecar, answer, "fail_closed")
    if mode in ("late", "slow-then-allow"):
        pause(LATE - DEADLINE + 0.2)  # the allow has arrived by now
    assert origin.reached() == 0


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("mode", FAULTS)
def test_fail_open_lets_it_out_and_says_so(bench: Bench, origin: Origin, mode: str, route: str) -> None:
    """EVE_PROXY_FAIL_CLOSED=0: the same faults let the request out, in certificate, header and log as `fail_open`."""
    sidecar = bench.sidecar(mode, fail_open=True)
    answer = ROUTES[route](sidecar, origin)
    assert answer.status == 200
    in_time(answer, whole_deadline=FAULTS[mode])
    told(sidecar, answer, "fail_open")
    assert origin.reached() == 1


def test_fail_open_does_not_open_refusals(bench: Bench, origin: Origin) -> None:
    """With EVE_PROXY_FAIL_CLOSED=0 a block is a block, bytes that are no request are refused, readiness warns."""
    sidecar = bench.sidecar("block", fail_open=True)
    assert post(sidecar, origin).status == 451
    assert connect(sidecar, origin).status == 451
    assert post(sidecar, "10.1.2.3").status == 451
    assert ask(sidecar, b"GET / HTTP/9.9\r\n\r\n").status == 400
    assert origin.reached() == 0
    state = ready(sidecar)
    assert state.status == 200
    assert "fail_open" in state.fields["x-eve-warning"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("mode", WORKING)
def test_unusual_but_good_answers(bench: Bench, origin: Origin, mode: str, route: str) -> None:
    """An answer without request_id, in chunks, or on a connection that is closed silently afterwards is an answer."""
    sidecar = bench.sidecar(mode, fail_open=False)
    for _ in range(10):
        answer = ROUTES[route](sidecar, origin)
        assert answer.status == 200, answer.raw
        assert answer.certificate is not None
        assert answer.certificate["verdict"] == "allow"
    assert origin.reached() >= 1


def test_a_kept_connection_that_turns_out_dead(tmp_path: Path, origin: Origin) -> None:
    """The question goes out on a connection that the service has just closed: it is put once more, on a fresh one."""
    with FakeGovernor() as governor, Sidecar(tmp_path, EVE_PROXY_GOVERNANCE_URL=governor.url, **HARSH) as sidecar:
        assert post(sidecar, origin).status == 200
        for kept in range(1, 6):
            assert governor.connections == kept
            with sidecar.connect() as client:
                # While the daemon is stopped, the request comes first and the end of the connection second.
                sidecar.process.send_signal(signal.SIGSTOP)
                client.sendall(post_head(origin.netloc, 2) + b"{}")
                governor.hang_up()
                pause(0.05)
                sidecar.process.send_signal(signal.SIGCONT)
                assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_leaves_while_it_is_judged(tmp_path: Path, origin: Origin) -> None:
    """Nobody waits for the answer any more: the allow is recorded, and nothing leaves on it."""
    with (
        FakeGovernor("late", delay=0.3) as governor,
        Sidecar(tmp_path, EVE_PROXY_GOVERNANCE_URL=governor.url) as sidecar,
    ):
        for head in (get_head(origin.netloc), connect_head(origin.netloc)):
            with sidecar.connect() as client:
                client.sendall(head)
                pause(0.1)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave by a reset
        lines = until(lambda: sidecar.decision_lines() if len(sidecar.decision_lines()) == 2 else None)
        assert [line["status"] for line in lines] == [None, None]
        assert [record["verdict"] for record in sidecar.decisions()] == ["allow", "allow"]
        pause(0.1)
        assert origin.reached() == 0


def test_a_body_that_arrives_slowly_does_not_spend_the_deadline(bench: Bench, origin: Origin) -> None:
    """The enforcement clock stands still while the client sends its body."""
    sidecar = bench.sidecar("allow", fail_open=False)
    with sidecar.connect() as client:
        client.sendall(post_head(origin.netloc, 4))
        for _ in range(4):
            pause(DEADLINE / 2)
            client.sendall(b"x")
        assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_one_slot_is_shared_within_the_deadline(tmp_path: Path, origin: Origin) -> None:
    """What waits for EVE_PROXY_GOVERNANCE_CONCURRENCY waits against its own deadline, not behind another's."""
    with (
        FakeGovernor("hang") as governor,
        Sidecar(
            tmp_path, EVE_PROXY_GOVERNANCE_URL=governor.url, EVE_PROXY_GOVERNANCE_CONCURRENCY="1", **HARSH
        ) as sidecar,
    ):
        for answer in together(4, sidecar, origin):
            assert answer.status == 503
            in_time(answer, whole_deadline=True)
        assert origin.reached() == 0


def together(count: int, sidecar: Sidecar, origin: Origin) -> list[Answer]:
    """So many POSTs at the same time."""
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(post(sidecar, origin))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == count
    return answers


def test_the_documented_deadline_and_a_long_one(tmp_path: Path) -> None:
    """By default an allow after 0.5 s is obeyed and one after 4 s is not; a deadline of 4 s holds as well."""
    long, short = {"EVE_PROXY_ENFORCE_TIMEOUT": "4"}, {}
    cases = [("late", 0.5, short, 200), ("late", 4.0, short, 503), ("late", 3.0, long, 200), ("drip", 0.0, long, 503)]
    outcomes: dict[int, tuple[Answer, int]] = {}
    all_up = threading.Barrier(len(cases), timeout=30)

    def run(number: int, mode: str, delay: float, settings: dict[str, str]) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        with (
            FakeGovernor(mode, delay=delay) as governor,
            Origin() as origin,
            Sidecar(folder, EVE_PROXY_GOVERNANCE_URL=governor.url, **settings) as sidecar,
        ):
            all_up.wait()
            answer = post(sidecar, origin)
            pause(max(0.0, delay + 0.2 - answer.seconds))
            outcomes[number] = (answer, origin.reached())

    threads = [threading.Thread(target=run, args=(number, *case[:3])) for number, case in enumerate(cases)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    for number, (_, delay, settings, status) in enumerate(cases):
        answer, arrivals = outcomes[number]
        assert answer.status == status
        assert arrivals == (1 if status == 200 else 0)
        if status == 503:
            in_time(answer, whole_deadline=True, deadline=float(settings.get("EVE_PROXY_ENFORCE_TIMEOUT", "2")))
        else:
            assert delay <= answer.seconds


# -- the breaker -----------------------------------------------------------------------------------------------


def test_the_breaker_opens_and_recovers(tmp_path: Path, origin: Origin) -> None:
    """After five timeouts nobody waits any more; readiness says so as it was told to; a good probe closes it."""
    with FakeGovernor("hang") as governor:
        settings = {"EVE_PROXY_GOVERNANCE_URL": governor.url, "EVE_PROXY_ENFORCE_TIMEOUT": str(DEADLINE)}
        (tmp_path / "strict").mkdir()
        with (
            Sidecar(tmp_path, **settings) as lenient,
            Sidecar(tmp_path / "strict", EVE_PROXY_READY_NEEDS_GOVERNOR="1", **settings) as strict,
        ):
            for sidecar in (lenient, strict):
                assert {answer.status for answer in together(5, sidecar, origin)} == {503}
            asked = len(governor.questions())
            for sidecar in (lenient, strict):
                answer = post(sidecar, origin)
                assert answer.status == 503
                assert answer.seconds < DEADLINE / 2
                assert "breaker" in answer.refusal["reason"]
                told(sidecar, answer, "fail_closed")
            assert len(governor.questions()) == asked
            state = ready(lenient)
            assert (state.status, state.fields["x-eve-warning"]) == (200, "governance breaker open")
            state = ready(strict)
            assert (state.status, state.body) == (503, b"governance breaker open\n")

            governor.mode = "allow"
            # An unready pod gets no requests, so that readiness must not wait for one to close the breaker.
            until(lambda: ready(strict).status == 200, timeout=14)
            assert ready(strict).fields["x-eve-warning"] == "governance breaker open"
            for sidecar in (lenient, strict):
                until(lambda: post(sidecar, origin).status == 200, timeout=14)  # noqa: B023
                assert "x-eve-warning" not in ready(sidecar).fields


def test_refused_credentials_show_in_readiness(bench: Bench, origin: Origin) -> None:
    """401 and 429 are told to the operator, and forgotten with the next good answer."""
    for mode, warning in (("status-401", "governance credential refused"), ("status-429", "governance rate limited")):
        sidecar = bench.sidecar(mode, fail_open=False)
        answer = post(sidecar, origin)
        assert answer.refusal["reason"] == warning
        assert warning in ready(sidecar).fields["x-eve-warning"]
    sidecar = bench.sidecar("allow", fail_open=False)
    assert post(sidecar, origin).status == 200
    assert "x-eve-warning" not in ready(sidecar).fields


# -- other ways to reach it ------------------------------------------------------------------------------------


def conversation(sidecar: Sidecar, governor: FakeGovernor, origin: Origin, name: str) -> None:
    """Allow, block and hang over the transport at hand."""
    answer = post(sidecar, origin)
    assert answer.status == 200, answer.raw
    assert answer.certificate is not None
    assert answer.certificate["governor"] == name
    assert answer.certificate["decision_ref"] == f"aud_{answer.certificate['certificate_id']}"
    assert post(sidecar, origin, b"BLOCKME").status == 451
    for mode in ("hang", "reset"):
        governor.mode = mode
        answer = post(sidecar, origin)
        assert answer.status == 503
        in_time(answer, whole_deadline=mode == "hang")
    governor.mode = "allow"
    assert post(sidecar, origin).status == 200
    assert origin.received.count(b"POST /") == 2


def test_over_a_unix_socket(tmp_path: Path, origin: Origin) -> None:
    """A decision service on a socket path in the same pod."""
    path = str(tmp_path / "g.sock")
    with (
        FakeGovernor(unix=path) as governor,
        Sidecar(tmp_path, EVE_PROXY_GOVERNANCE_URL=governor.url, **HARSH) as sidecar,
    ):
        conversation(sidecar, governor, origin, f"unix:{path}")


def test_over_tls_with_client_certificates(tmp_path: Path, origin: Origin) -> None:
    """HTTPS is verified both ways; a service that nobody vouches for, or of another name, is a failure of judging."""
    authority, stranger = trustme.CA(), trustme.CA()
    client = authority.issue_cert("sidecar@example.org")
    files = {"EVE_PROXY_GOVERNANCE_CA": tmp_path / "ca.pem"}
    authority.cert_pem.write_to_path(str(files["EVE_PROXY_GOVERNANCE_CA"]))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    (tmp_path / "client.key").chmod(0o600)
    files |= {
        "EVE_PROXY_GOVERNANCE_CERT": tmp_path / "client.pem",
        "EVE_PROXY_GOVERNANCE_KEY": tmp_path / "client.key",
    }
    settings = {name: str(path) for name, path in files.items()} | HARSH

    def served(issuer: trustme.CA, name: str) -> tuple[str, str]:
        leaf = issuer.issue_cert(name)
        pair = (str(tmp_path / "leaf.pem"), str(tmp_path / "leaf.key"))
        leaf.cert_chain_pems[0].write_to_path(pair[0])
        leaf.private_key_pem.write_to_path(pair[1])
        return pair

    folders = iter([tmp_path / name for name in ("good", "unknown", "misnamed")])

    def trial(pair: tuple[str, str], test: Callable[[Sidecar, FakeGovernor], None]) -> None:
        folder = next(folders)
        folder.mkdir()
        with (
            FakeGovernor(tls=pair, client_ca=str(tmp_path / "ca.pem")) as governor,
            Sidecar(folder, EVE_PROXY_GOVERNANCE_URL=governor.url, **settings) as sidecar,
        ):
            test(sidecar, governor)

    def untrusted(sidecar: Sidecar, governor: FakeGovernor) -> None:
        answer = post(sidecar, origin)
        assert answer.status == 503
        in_time(answer, whole_deadline=False)
        assert governor.questions() == [], "the question was put to a stranger"

    trial(served(authority, "localhost"), lambda sidecar, gov: conversation(sidecar, gov, origin, "localhost"))
    trial(served(stranger, "localhost"), untrusted)
    trial(served(authority, "other.example"), untrusted)
    assert origin.received.count(b"POST /") == 2
