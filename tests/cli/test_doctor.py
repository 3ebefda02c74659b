"""``eve-proxy doctor``: options, exit codes, and what is reported to the daemon."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.cli import doctor
from eve_proxy.cli import main as eve_proxy
from eve_proxy.doctor.machine import Machine
from eve_proxy.doctor.plan import DIRECT, METADATA
from tests.doctor.bench import PROXY, SECRET, WALL, Bench, said

MACHINE = Machine(uid=4321, capabilities=0, open_files=1024, listeners={3128: 1337}, proc=Path("/nowhere"))
PLACES = ["--target", "http://web.example/", "--target", "https://web.example/", "--direct", "192.0.2.1:443"]


class Run:
    """One run on a bench's network."""

    def __init__(self, bench: Bench, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.timeouts: list[float] = []

        def network(timeout: float) -> Any:
            self.timeouts.append(timeout)
            return bench.network

        self.exit = doctor.main(
            arguments, out, err, environ or {}, network=network, here=MACHINE, wall=lambda: WALL, token=bench.token
        )
        self.out, self.err = out.getvalue(), err.getvalue()


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=True)


def test_all_is_well(bench: Bench) -> None:
    """Exit 0 and a table."""
    run = Run(bench, *PLACES)
    assert (run.exit, run.err) == (0, "")
    assert "tcp-443-v4         ok" in run.out
    assert run.timeouts == [3.0]


def test_a_way_around(bench: Bench) -> None:
    """Exit 1."""
    bench.open("192.0.2.1", 443)
    assert Run(bench, *PLACES).exit == 1


def test_something_doubtful(bench: Bench) -> None:
    """Exit 3; accepted, it is 0."""
    bench.daemon.warning = "sync off"
    assert Run(bench, *PLACES).exit == 3
    assert Run(bench, *PLACES, "--accept", "journal-sync").exit == 0


def test_json(bench: Bench) -> None:
    """One document."""
    run = Run(bench, *PLACES, "--json")
    told = json.loads(run.out)
    assert (told["schema"], told["exit"], told["proxy"], told["record"]) == (
        "eve.doctor/1", 0, "http://127.0.0.1:3128", None
    )  # fmt: skip


def test_the_defaults_are_the_documented_ones(bench: Bench) -> None:
    """Nothing is sent to anybody else."""
    Run(bench)
    hosts = {host for host, _, _ in bench.network.sent}
    outside = {text.rpartition(":")[0].strip("[]") for text in DIRECT}
    assert hosts == {"127.0.0.1", "example.com", "1.1.1.1", *outside, *METADATA.values()}


def test_the_key(bench: Bench, tmp_path: Path) -> None:
    """From the environment, from files, or none."""
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    for arguments, environ in (
        ([], {"JWT_SECRET_KEY": SECRET.decode()}),
        ([], {"JWT_SECRET_KEY_FILE": str(secret)}),
        (["--key", str(secret)], {}),
    ):
        run = Run(bench, *PLACES, *arguments, environ=environ)
        assert run.exit == 0
        assert "key that was given" in " ".join(run.out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "web.example"], "--target: 'web.example': write http://host/path or https://host/path"),
        (["--direct", "web.example:443"], "--direct: 'web.example:443': write a literal address"),
        (["--direct", "192.0.2.1"], "--direct: '192.0.2.1': "),
        (["--proxy", "x"], "--proxy: 'x': write http://host:port"),
        (["--proxy", ""], "--proxy: '': write http://host:port"),
        (["--proxy", "http://h"], "--proxy: 'http://h': write http://host:port"),
        (["--proxy", "http://h:3128/path"], "--proxy: 'http://h:3128/path': write http://host:port"),
        (["--proxy", "socks5://x:1"], "--proxy: 'socks5://x:1': write http://host:port"),
        (["--metadata", "http://169.254.169.254/"], "--metadata: 'http://169.254.169.254/': write a name"),
        (["--resolver", "dns.google"], "--resolver: 'dns.google': write an IP address"),
        (["--timeout", "0"], "--timeout: '0': write seconds"),
        (["--timeout", "nan"], "--timeout: 'nan': write seconds"),
        (["--timeout", "long"], "--timeout: 'long': write seconds"),
        (["--denied-port", "0"], "--denied-port: '0': write a port"),
        (["--denied-port", "smtp"], "--denied-port: 'smtp': write a port"),
        (["--internal", "http://x"], "--internal: 'http://x': write a name or the end of names"),
        (["--accept", "nonsuch"], "--accept: 'nonsuch': no check is called so; docs/doctor.md has them all"),
        (["--accept", "udp-443-v5"], "did you mean udp-443-v"),
        (["--accept", "Everything!"], "--accept: 'Everything!': no check is called so"),
        (["--key", "/nowhere"], "/nowhere"),
        (["--nothing"], "--nothing"),
    ],
)
def test_usage(bench: Bench, arguments: list[str], said: str) -> None:
    """Exit 2, what is wrong, and nothing is sent."""
    run = Run(bench, *arguments)
    assert (run.exit, run.out) == (2, "")
    assert said in run.err
    assert bench.network.sent == []


def test_all_faults_are_told_at_once(bench: Bench) -> None:
    """One line each, so that the next attempt can be the last."""
    wrong = ["--proxy", "x", "--resolver", "dns.google", "--timeout", "0", "--accept", "nonsuch", "--key", "/nowhere"]
    run = Run(bench, *wrong)
    assert run.exit == 2
    lines = run.err.splitlines()
    assert len(lines) == 5
    for line, option in zip(lines, ("--proxy", "--resolver", "--timeout", "/nowhere", "--accept"), strict=True):
        assert line.startswith("eve-proxy doctor: ")
        assert option in line


def test_a_faulty_variable_is_named(bench: Bench) -> None:
    """Without --proxy it is HTTP_PROXY that is wrong, and its password is not shown."""
    run = Run(bench, environ={"HTTP_PROXY": "http://eve:hunter2@proxy"})
    assert (run.exit, run.err) == (2, "eve-proxy doctor: HTTP_PROXY: '***@proxy': write http://host:port\n")


def test_a_usual_check_may_be_accepted_though_this_plan_lacks_it(bench: Bench) -> None:
    """One list of accepted checks serves machines with and without IPv6."""
    assert Run(bench, *PLACES, "--accept", "udp-443-v6").exit == 0


def test_no_record_without_a_proxy(bench: Bench) -> None:
    """It is said that the proxy is not there, and not which answers it might have given."""
    del bench.network.streams[PROXY]
    run = Run(bench, *PLACES, "--record", "--json")
    record = json.loads(run.out)["checks"][-1]
    assert run.exit == 1
    assert (record["check"], record["result"]) == ("posture-record", "fail")
    assert record["meaning"] == "nothing was recorded: 127.0.0.1:3128 is not reachable"
    assert "start it" in record["advice"]


def test_record(bench: Bench) -> None:
    """Exactly the names and results go to the daemon, and its certificate is shown."""
    run = Run(bench, *PLACES, "--record", "--json", "--accept", "proxy-variables")
    told = json.loads(run.out)
    (report,) = map(json.loads, bench.daemon.reports)
    assert set(report) == {"schema", "at", "results"}
    assert report["results"] == {
        each["check"]: each["result"] for each in told["checks"] if each["check"] != "posture-record"
    }
    assert told["record"]["record"]["results"] == report["results"]
    assert told["checks"][-1]["check"] == "posture-record"
    assert told["record"]["certificate_id"] in told["checks"][-1]["meaning"]
    assert run.exit == 0


@pytest.mark.parametrize(
    "answer",
    [
        said(403, b"EVE_PROXY_ALLOWED_CLIENTS"),
        said(429),
        said(503, b"the report was not recorded"),
        said(400),
        said(201, b"{}"),
    ],
)
def test_a_report_that_is_not_taken(bench: Bench, answer: Any) -> None:
    """Exit 1: whoever asked for a record has none."""
    bench.daemon.pages["/posture"] = answer
    run = Run(bench, *PLACES, "--record")
    assert run.exit == 1
    assert "posture-record     FAIL" in run.out


def test_a_record_of_something_else_is_none(bench: Bench) -> None:
    """A certificate, and signed, but not of this report."""
    other = bench.daemon.record(kind="posture", verdict=None, request=None, record={"results": {"a": "ok"}})
    bench.daemon.pages["/posture"] = said(201, other.line)
    assert Run(bench, *PLACES, "--record").exit == 1


def test_a_record_that_nobody_vouches_for_is_none(bench: Bench) -> None:
    """The right content under a signature that is not the key's."""
    environ = {"JWT_SECRET_KEY": SECRET.decode()}
    first = json.loads(Run(bench, *PLACES, "--record", "--json", environ=environ).out)["record"]
    first["signature"] = "hmac-" + "0" * 64
    bench.daemon.pages["/posture"] = said(201, json.dumps(first, separators=(",", ":")).encode())
    run = Run(bench, *PLACES, "--record", environ=environ)
    assert run.exit == 1
    assert "not the signed record of this report" in run.out


def test_the_proxy_of_the_environment(bench: Bench) -> None:
    """HTTP_PROXY says where it is."""
    bench.network.streams["10.0.0.5", 3129] = bench.network.streams.pop(PROXY)
    here = "http://10.0.0.5:3129"
    run = Run(bench, *PLACES, environ={"http_proxy": here, "HTTPS_PROXY": here})
    assert run.exit == 0, run.out


def test_help_says_what_the_exits_mean(bench: Bench) -> None:
    """As docs/doctor.md does."""
    run = Run(bench, "--help")
    assert run.exit == 0
    assert "a way around is open" in run.out


def test_it_is_one_of_the_commands() -> None:
    """And the list shows it."""
    out = io.StringIO()
    assert eve_proxy(["--help"], out, io.StringIO(), {}) == 0
    assert "  doctor " in out.getvalue()


def test_it_loads_neither_twisted_nor_zope() -> None:
    """It runs in the application's container."""
    program = "import sys; import eve_proxy.cli.doctor; print([m for m in sys.modules if m in ('twisted', 'zope')])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
