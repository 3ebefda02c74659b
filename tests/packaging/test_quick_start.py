"""The README's quick start is the guide's, and it works.

Word for word, but for one line that is changed, the one that installs, and a comment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "twistd -n --pidfile= eve-sidecar"
# What it does is tried in test_install.py.
INSTALL = "pip install .\n"
LAUNCH = f"""\
# Launch the proxy
export JWT_SECRET_KEY="<your-hmac-signing-key>"
export EVE_PROXY_PORT=3128
export EVE_PROXY_ORG_ID="bank_tier1_a"
{COMMAND}
"""
CLIENT = """\
# In a separate shell — point a client at it
export HTTPS_PROXY=http://localhost:3128
export HTTP_PROXY=http://localhost:3128
# A host of yours; or scripts/run, which brings an origin
curl -v https://api.example.com/v1/completions -d '{"prompt": "hello"}'
"""
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=[COMMAND, "python -m eve_proxy"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """The proxy, launched as the README says, on a port of its own and on loopback."""
    chosen = free_port()
    shell = LAUNCH.replace("3128", str(chosen)).replace(COMMAND, f"exec {request.param}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("EVE_", "JWT_"))}
    environ |= {
        "EVE_PROXY_HOST": "127.0.0.1",
        # The quick start's host is refused here, so that no test asks the internet for it.
        "EVE_PROXY_BLOCKED_HOSTS": "example.com",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(["bash", "-c", shell], cwd=tmp_path, env=environ, stdout=log, stderr=log)
        try:
            for _ in range(150):
                assert process.poll() is None, (tmp_path / "log").read_text()
                try:
                    socket.create_connection(("127.0.0.1", chosen)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)  # noqa: TID251 - a real process has to come up
            yield chosen
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (tmp_path / "log").read_text()
    assert (tmp_path / "data/governance/fail_closed/fail_closed_events.jsonl").exists()
    assert not (tmp_path / "twistd.pid").exists()


def test_the_readme_shows_it() -> None:
    """The words are the guide's."""
    assert f"```sh\n{INSTALL}\n{LAUNCH}\n{CLIENT}```" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (apt-get install curl)")
def test_the_client_goes_through_it(port: int, tmp_path: Path) -> None:
    """The second shell's lines, as they stand there: curl asks the proxy, and shows its certificate."""
    ours = ("http", "HTTP", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    shell = CLIENT.replace("3128", str(port))
    said = subprocess.run(["bash", "-c", shell], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "> CONNECT api.example.com:443" in said.stderr
    assert "< HTTP/1.1 451" in said.stderr
    header = re.search(r"^< X-EVE-Decision-Cert: (.*)$", said.stderr, re.MULTILINE)
    assert header
    certificate = json.loads(header[1])
    assert (certificate["org_id"], certificate["matched_vector"]) == ("bank_tier1_a", "blocklist")
    assert (certificate["request"]["method"], certificate["request"]["host"]) == ("CONNECT", "api.example.com")
    journal = tmp_path / "data/governance/fail_closed/fail_closed_events.jsonl"
    assert json.loads(journal.read_bytes().splitlines()[-1]) == certificate


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_health_endpoints_answer(port: int, path: str) -> None:
    """After the quick start both health endpoints say ok, and the journal is where the guide says."""
    with DIRECT.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")
