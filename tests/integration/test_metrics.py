"""What a real daemon says on /metrics after real traffic."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from eve_proxy.metrics.families import FAMILIES
from tests.fakes.client_hello import client_hello
from tests.fakes.governor import FakeGovernor
from tests.fakes.origin import Origin, echo
from tests.integration.client import Answer, ask, connect_head, post, read_head
from tests.integration.sidecar import ROOT, Sidecar, read_all, until
from tests.metrics.bench import parsed

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)
PROMETHEUS = b"Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def scrape(port: int, request: bytes = SCRAPE, *, host: str = "127.0.0.1") -> Answer:
    """A request to the port of its own."""
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall(request)
        return Answer(read_all(connection), 0)


def admin(sidecar: Sidecar) -> dict[str, float]:
    """The page on the admin surface."""
    answer = ask(sidecar, SCRAPE)
    assert answer.status == 200, answer.raw
    return parsed(answer.body)


def reach(page: Callable[[], dict[str, float]], **expected: float) -> dict[str, float]:
    """A page on which these are; a page may be a second old."""
    seen: dict[str, float] = {}

    def there() -> bool:
        seen.clear()
        seen.update(page())
        return all(seen.get(name) == value for name, value in expected.items())

    try:
        until(there, timeout=8)
    except AssertionError:
        wrong = {name: (seen.get(name), value) for name, value in expected.items() if seen.get(name) != value}
        raise AssertionError(f"is, should be: {wrong}") from None
    return seen


def decisions(verdict: str, *, route: str = "forward", pillar: str = "", rule: str = "") -> str:
    return f'eve_proxy_decisions_total{{pillar="{pillar}",route="{route}",rule="{rule}",verdict="{verdict}"}}'


def test_traffic_is_counted_exactly_and_a_restart_begins_at_zero(tmp_path: Path) -> None:
    """Two allows, a veto, a local refusal, a tunnel, a failure of judging, garbage: each in its series."""
    port = free_port()
    with FakeGovernor("allow") as governor, Origin() as origin, Origin(echo) as far:
        settings = {
            "EVE_PROXY_GOVERNANCE_URL": governor.url,
            "EVE_PROXY_METRICS_PORT": str(port),
            "EVE_PROXY_CONNECT_SNI": "off",
        }
        with Sidecar(tmp_path, **settings) as sidecar:
            for _ in range(2):
                assert post(sidecar, origin).status == 200
            assert post(sidecar, origin, b"BLOCKME").status == 451
            assert post(sidecar, "10.0.0.1:80").status == 451
            with sidecar.connect() as tunnel:
                tunnel.sendall(connect_head(far.netloc))
                assert read_head(tunnel).startswith(b"HTTP/1.1 200 ")
                tunnel.sendall(b"x" * 1000)
                assert len(tunnel.recv(1000, socket.MSG_WAITALL)) == 1000
                flowing = reach(
                    lambda: admin(sidecar),
                    **{
                        "eve_proxy_tunnels_open": 1,
                        'eve_proxy_content_bytes_total{direction="to_upstream",kind="tunnel"}': 1000,
                        'eve_proxy_content_bytes_total{direction="to_downstream",kind="tunnel"}': 1000,
                    },
                )
                assert flowing["eve_proxy_connections_open"] == 2  # the tunnel, and who asks
            governor.mode = "garbage"
            assert post(sidecar, origin).status == 503
            assert ask(sidecar, b"garbage\r\n\r\n").status == 400
            page = reach(
                lambda: parsed(scrape(port).body),
                **{
                    decisions("allow"): 2,
                    decisions("allow", route="connect"): 1,
                    decisions("block", pillar="128", rule="706"): 1,
                    decisions("block", pillar="local", rule="destination"): 1,
                    decisions("fail_closed", pillar="114"): 1,
                    'eve_proxy_answers_total{code="200"}': 3,
                    'eve_proxy_answers_total{code="451"}': 2,
                    'eve_proxy_answers_total{code="503"}': 1,
                    'eve_proxy_rejected_requests_total{code="400"}': 1,
                    "eve_proxy_enforcement_duration_seconds_count": 6,
                    'eve_proxy_governor_calls_total{result="answered"}': 4,
                    'eve_proxy_governor_calls_total{result="upset"}': 1,
                    "eve_proxy_governor_duration_seconds_count": 5,
                    'eve_proxy_upstream_duration_seconds_count{kind="request"}': 2,
                    'eve_proxy_upstream_duration_seconds_count{kind="tunnel"}': 1,
                    'eve_proxy_upstream_connections_total{origin="dialled"}': 2,
                    'eve_proxy_upstream_connections_total{origin="reused"}': 1,
                    "eve_proxy_tunnels_total": 1,
                    "eve_proxy_tunnels_open": 0,
                    'eve_proxy_content_bytes_total{direction="to_upstream",kind="tunnel"}': 1000,
                    'eve_proxy_content_bytes_total{direction="to_upstream",kind="request"}': 4,
                    "eve_proxy_connections_open": 0,
                    "eve_proxy_ready": 1,
                    "eve_proxy_journal_problem": 0,
                },
            )
            records = sidecar.records()
            assert len(sidecar.decision_lines()) == 6
            assert page["eve_proxy_journal_sequence"] == page["eve_proxy_journal_records_total"] + 1 <= len(records) + 1
            assert page["eve_proxy_journal_head_age_seconds"] < 60
            assert page["process_open_fds"] > 5
            (info,) = [name for name in page if name.startswith("eve_proxy_build_info{")]
            assert f'key_id="{records[0]["key_id"]}"' in info
            assert 'algorithm="HMAC-SHA256"' in info
        with Sidecar(tmp_path, **settings) as sidecar:
            page = admin(sidecar)
            assert page[decisions("allow")] == page["eve_proxy_journal_records_total"] == 0
            assert page["eve_proxy_journal_sequence"] > 8  # the chain goes on


@needs_promtool
def test_promtool_takes_the_page_of_a_busy_proxy(tmp_path: Path) -> None:
    """Every family has a value after traffic that touches it, and promtool and the alerts find what they look for."""
    with (
        FakeGovernor("allow") as governor,
        Origin() as origin,
        Sidecar(tmp_path, EVE_PROXY_GOVERNANCE_URL=governor.url, EVE_PROXY_MAX_CONNECTIONS="3") as sidecar,
    ):
        assert post(sidecar, origin).status == 200
        assert post(sidecar, origin, b"BLOCKME").status == 451
        assert post(sidecar, "127.0.0.1:1").status == 502
        assert ask(sidecar, b"garbage\r\n\r\n").status == 400
        crowd = [sidecar.connect() for _ in range(3)]
        assert ask(sidecar, SCRAPE).status == 503  # one too many
        for connection in crowd:
            connection.close()
        answer = until(lambda: next((a for a in [ask(sidecar, SCRAPE)] if a.status == 200), None))
    done = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    names = {re.split(r"[{ ]", line)[0] for line in answer.body.decode().splitlines() if not line.startswith("#")}
    assert {family.name for family in FAMILIES} <= names | {re.sub("_(bucket|sum|count)$", "", name) for name in names}
    rules = yaml.safe_load((ROOT / "etc" / "prometheus" / "alerts.yaml").read_text("utf-8"))
    expressions = str([rule["expr"] for rule in rules["groups"][0]["rules"]])
    asked = re.findall(r"\b(?:eve_proxy|process)_[a-z_]+\b", expressions)
    assert set(asked) <= names


def test_who_may_ask_where(tmp_path: Path) -> None:
    """On the proxy's port: allowed clients. On its own: anyone, for /metrics only, in the format that was asked for."""
    port = free_port()
    settings = {"EVE_PROXY_ALLOWED_CLIENTS": "10.9.9.9/32", "EVE_PROXY_METRICS_PORT": str(port)}
    with Sidecar(tmp_path, **settings) as sidecar:
        refused = ask(sidecar, SCRAPE)
        assert refused.status == 403
        assert refused.certificate is not None
        page = scrape(port)
        assert page.status == 200
        assert page.fields["content-type"].startswith("text/plain; version=0.0.4")
        assert b'eve_proxy_answers_total{code="403"} 1.0' in page.body
        openmetrics = scrape(port, SCRAPE[:-2] + PROMETHEUS + b"\r\n")
        assert openmetrics.fields["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert openmetrics.body.endswith(b"# EOF\n")
        for path in (b"/", b"/readyz", b"/certificates?last=1"):
            assert scrape(port, SCRAPE.replace(b"/metrics", path)).status == 404


def test_the_port_can_have_an_address_of_its_own(tmp_path: Path) -> None:
    """A sidecar that listens on loopback is scraped at the pod's address, and nobody is proxied there."""
    port = free_port("127.0.0.9")
    with Sidecar(tmp_path, EVE_PROXY_METRICS_HOST="127.0.0.9", EVE_PROXY_METRICS_PORT=str(port)) as sidecar:
        assert scrape(port, host="127.0.0.9").status == 200
        with pytest.raises(ConnectionRefusedError):
            scrape(port)
        for host in ("127.0.0.9", "127.0.0.1"):
            refused = post(sidecar, f"{host}:{port}")
            assert refused.status == 451
            assert "this proxy itself" in refused.refusal["reason"]
        assert f"metrics on 127.0.0.9:{port}" in sidecar.output


def test_scraping_during_overload(tmp_path: Path) -> None:
    """With every connection in use the port of its own answers, and says so."""
    port = free_port()
    with Sidecar(tmp_path, EVE_PROXY_MAX_CONNECTIONS="2", EVE_PROXY_METRICS_PORT=str(port)) as sidecar:
        crowd = [sidecar.connect() for _ in range(2)]
        assert ask(sidecar, SCRAPE).status == 503
        page = parsed(scrape(port).body)
        assert page["eve_proxy_connections_turned_away_total"] == 1
        assert page["eve_proxy_connections_open"] >= page["eve_proxy_connections_limit"] == 2
        for connection in crowd:
            connection.close()


def test_slow_scrapers_hold_nothing(tmp_path: Path) -> None:
    """Twenty that never finish their request: some are turned away, the proxy serves, the stop waits for none."""
    port = free_port()
    with Origin() as origin, Sidecar(tmp_path, EVE_PROXY_METRICS_PORT=str(port)) as sidecar:
        crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(20)]
        for connection in crowd[:10]:
            connection.sendall(b"GET /metr")
        assert post(sidecar, origin).status == 200
        assert sum(_is_closed(connection) for connection in crowd) >= 4
        assert sidecar.stop(timeout=5) == 0
        for connection in crowd:
            connection.close()


def test_the_port_answers_until_the_daemon_has_ended(tmp_path: Path) -> None:
    """While it drains, Prometheus sees that it does, and that it is not ready."""
    port = free_port()
    with Origin(echo) as far, Sidecar(tmp_path, EVE_PROXY_METRICS_PORT=str(port)) as sidecar:
        with sidecar.connect() as tunnel:
            tunnel.sendall(connect_head(far.netloc))
            assert read_head(tunnel).startswith(b"HTTP/1.1 200 ")
            sidecar.process.send_signal(signal.SIGTERM)
            reach(lambda: parsed(scrape(port).body), eve_proxy_draining=1, eve_proxy_ready=0, eve_proxy_tunnels_open=1)
        assert sidecar.process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            scrape(port)


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    """The failure, the problem and the fail_closed decisions are there, and they go away with it."""
    port = free_port()
    with Origin() as origin, Sidecar(tmp_path, EVE_PROXY_METRICS_PORT=str(port)) as sidecar:
        assert post(sidecar, origin).status == 200
        process = sidecar.process.pid
        soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (sidecar.journal.stat().st_size, hard))
        assert post(sidecar, origin).status == 503
        page = reach(
            lambda: parsed(scrape(port).body),
            **{"eve_proxy_journal_problem": 1, "eve_proxy_ready": 0, decisions("fail_closed", pillar="114"): 1},
        )
        assert page['eve_proxy_journal_failures_total{reason="broken"}'] >= 1
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))
        reach(lambda: parsed(scrape(port).body), eve_proxy_journal_problem=0, eve_proxy_ready=1)


def test_a_tunnel_that_is_severed_is_counted_twice(tmp_path: Path) -> None:
    """Its allow and, when it showed another host, the block by rule `sni`."""
    with Origin(echo) as far, Sidecar(tmp_path, EVE_PROXY_CONNECT_SNI="strict") as sidecar:
        with sidecar.connect() as tunnel:
            tunnel.sendall(connect_head(far.netloc))
            read_head(tunnel)
            tunnel.sendall(client_hello("evil.example"))
            read_all(tunnel)
        reach(
            lambda: admin(sidecar),
            **{
                decisions("allow", route="connect"): 1,
                decisions("block", route="connect", pillar="local", rule="sni"): 1,
            },
        )


def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    """The message names the variable, and no journal is begun."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sidecar = Sidecar(tmp_path, ready=False, EVE_PROXY_METRICS_PORT=str(port))
        assert sidecar.process.wait(20) == 1
    until(lambda: sidecar.finished)
    assert "EVE_PROXY_METRICS_PORT" in sidecar.output
    assert not sidecar.journal.exists()


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
