"""The hosted contract over real sockets: the recorded exchanges and schemathesis, asked of running services."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import suite
from tests.contract.openapi import FILE, faults, schema
from tests.fakes.governor import FakeGovernor
from tests.fakes.keys import ed25519, private_pem
from tests.fakes.origin import Origin
from tests.integration.client import connect, post
from tests.integration.sidecar import Sidecar
from tests.integration.test_governor_process import Process

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-the-test"
MALFORMED = {each.name for each in suite.exchanges() if each.expect == "4xx" and not each.only_reference}
DECISIONS = {each.name for each in suite.exchanges() if each.expect == "decision"}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """``twistd eve-governor`` with a token, as a witness: its URL and the token's file."""
    folder = tmp_path_factory.mktemp("governor")
    token = folder / "token"
    token.write_text(TOKEN, encoding="ascii")
    key = folder / "key.pem"
    key.write_bytes(private_pem(ed25519()))
    signing = ("--signing-key", str(key), "--journal", str(folder / "governor.jsonl"))
    process = Process(folder, "--listen", "tcp:0:interface=127.0.0.1", "--token-file", str(token), *signing)
    try:
        where = process.wait_for(rb"eve-governor listens on (127\.0\.0\.1:\d+) ").group(1).decode()
        yield f"http://{where}", token
    finally:
        process.stop()


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``scripts/contract``, as somebody runs it who has no environment of ours."""
    path = os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin"))
    command = [str(ROOT / "scripts" / "contract"), *arguments]
    return subprocess.run(command, env={"PATH": path}, cwd="/", capture_output=True, text=True, timeout=120)


def test_the_reference_passes(reference: tuple[str, Path]) -> None:
    """What we hold others to, our own decision point keeps, the verdicts included."""
    url, token = reference
    done = program(url, "--token-file", str(token), "--reference")
    assert done.returncode == 0, done.stdout + done.stderr
    asked = len(suite.exchanges()) + 1
    assert f"{asked} passed, 0 failed" in done.stdout
    assert "ok    no-credential: status 401" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


def test_without_the_credential_nothing_passes(reference: tuple[str, Path]) -> None:
    """A forgotten token is not mistaken for a service that is careful."""
    done = program(reference[0])
    assert done.returncode == 1
    assert "ok  " not in done.stdout


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A wrong URL or a missing file ends with a message, not with a traceback."""
    done = program("ftp://example.com")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = program("http://127.0.0.1:1", "--token-file", str(tmp_path / "none"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def failures(governor: FakeGovernor, asked: set[str], timeout: float = 5.0) -> set[str]:
    """Which of the exchanges called ``asked`` fail."""
    service = suite.Service(governor.url, timeout=timeout)
    chosen = [each for each in suite.exchanges() if each.name in asked]
    results = list(suite.run(service, chosen))
    assert len(results) == len(chosen)
    return {result.name for result in results if result.failure is not None}


@pytest.mark.parametrize("mode", ["allow", "block", "modify", "chunked", "no-request-id", "close-idle"])
def test_services_that_answer_well(mode: str) -> None:
    """Any verdict will do, however HTTP carries it; only that it decides on nonsense is held against it."""
    with FakeGovernor(mode) as governor:
        assert failures(governor, DECISIONS) == set()
        assert failures(governor, MALFORMED) == MALFORMED


@pytest.mark.parametrize(
    "mode",
    [
        "garbage", "truncated", "oversize", "unknown-verdict", "duplicate-keys", "other-request", "reset", "not-http",
        "empty", "refused", "status-500", "status-401", "status-429", "status-204", "status-201",
    ],
)  # fmt: skip
def test_services_that_misbehave_fail_everywhere(mode: str) -> None:
    """What eve_proxy would refuse never passes, also when the answer that is refused says ALLOWED."""
    with FakeGovernor(mode) as governor:
        assert failures(governor, DECISIONS) == DECISIONS


@pytest.mark.parametrize("mode", ["hang", "late", "slow-then-allow", "drip"])
def test_services_that_are_late_fail(mode: str) -> None:
    """The time is for the whole answer: one byte now and then buys none."""
    with FakeGovernor(mode, delay=3) as governor:
        service = suite.Service(governor.url, timeout=0.3)
        results = list(suite.run(service, [each for each in suite.exchanges() if each.name in ("connect", "library")]))
    assert [result.failure for result in results] == ["no answer: TimeoutError"] * 2


def test_an_answer_that_ends_early_fails() -> None:
    """What arrived may be good JSON and an allow: it is not all that was announced."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as reader:
            while reader.readline().strip():
                pass
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"decision": {"status": "ALLOWED"}}')
            connection.shutdown(socket.SHUT_WR)
            reader.read()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        service = suite.Service(f"http://127.0.0.1:{listener.getsockname()[1]}")
        chosen = [each for each in suite.exchanges() if each.name == "connect"]
        assert [result.failure for result in suite.run(service, chosen)] == ["no answer: IncompleteRead"]


def test_a_service_on_a_socket_path(tmp_path: Path) -> None:
    """A service without a port can be asked as well."""
    with FakeGovernor(unix=str(tmp_path / "gov.sock")) as governor:
        assert failures(governor, DECISIONS) == set()
        assert {entry["connection"] for entry in governor.questions()} == {1}


@pytest.mark.parametrize(("style", "header"), [("bearer", "authorization"), ("x-eve-api-key", "x-eve-api-key")])
def test_a_service_that_decides_for_anybody_fails(style: str, header: str, tmp_path: Path) -> None:
    """Where there is a credential, a question without it must not be decided; with it, it is sent as configured."""
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n", encoding="ascii")
    with FakeGovernor() as governor:
        done = program(governor.url + "/base/", "--token-file", str(token), "--auth", style)
        first, second, *_ = governor.questions()
    assert "FAIL  no-credential" in done.stdout
    assert header not in dict(first["headers"])
    assert dict(second["headers"])[header].endswith(TOKEN)
    assert second["path"] == "/base/v1/decisions/evaluate"


PROGRAM = """
from eve_proxy.fail_closed import enforce

@enforce(caller="shop.answer")
def judged(prompt):
    return prompt

@enforce(caller="shop.answer", run_fmi=False)
def unjudged(prompt):
    return prompt

judged("hello"), unjudged("hello")
"""


def test_running_processes_ask_as_published(tmp_path: Path) -> None:
    """Not only the codec: what a sidecar and a program send over the wire fits the file, on each of their routes."""
    with FakeGovernor() as governor:
        settings = {"EVE_PROXY_GOVERNANCE_URL": governor.url}
        with Sidecar(tmp_path, **settings) as sidecar, Origin() as origin:
            assert post(sidecar, origin, b"hello", "/?key=s3cret", "Authorization: Bearer s3cret").status == 200
            assert post(sidecar, origin, gzip.compress(b"\xff"), "/", "Content-Encoding: gzip").status == 200
            assert connect(sidecar, origin).status == 200
        program = tmp_path / "program.py"
        program.write_text(PROGRAM, encoding="utf-8")
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "JWT_SECRET_KEY": "k" * 32, **settings}
        subprocess.run([sys.executable, str(program)], cwd=tmp_path, env=environ, check=True, timeout=60)
        questions = [entry["question"] for entry in governor.questions()]
    coverages = [(each["proposed_action"]["route"], each["context"]["coverage"]) for each in questions]
    assert coverages == [
        ("forward", "full"), ("forward", "full"), ("connect", "destination"), ("library", "full"), ("library", "none"),
    ]  # fmt: skip
    assert "s3cret" not in str(questions)
    assert [faults(schema("EveProxyQuestion"), question) for question in questions] == [[]] * 5


def test_schemathesis_finds_nothing(reference: tuple[str, Path], tmp_path: Path) -> None:
    """The reference decision point is what the file says: no 5xx, answers by schema, broken questions refused."""
    beside = Path(sys.executable).with_name("schemathesis")
    found = str(beside) if beside.exists() else shutil.which("schemathesis")
    if found is None:
        pytest.skip("schemathesis is not installed: scripts/venv contract")
    # A schema cannot say what is a host or which policy sets there are, so that a question by the schema may be 400;
    # that ours are not is test_questions.py's to show.
    done = subprocess.run(
        [found, "run", str(FILE), "--url", reference[0], "-H", f"Authorization: Bearer {TOKEN}", "--checks", "all",
         "--exclude-checks", "positive_data_acceptance", "--max-examples", "150", "--seed", "1"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Tested: 3" in done.stdout
