"""``scripts/run``, as a person uses it: start it, type what it prints, stop it with Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READY = "Ctrl-C stops both."

pytestmark = [
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (apt-get install curl)"),
    pytest.mark.skipif(
        not list((ROOT / ".venv").glob(".eve-proxy-*")), reason=".venv was not made by scripts/venv (run scripts/test)"
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the scripts, our .venv and nothing that an earlier run left."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def environment(**settings: str) -> dict[str, str]:
    ours = ("EVE_", "JWT_", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | settings


@pytest.fixture
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """The script, what it printed, and its folder."""
    with open(folder / "errors", "w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [folder / "scripts" / "run"],
            cwd=folder.parent,
            env=environment(EVE_PROXY_PORT="0"),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        printed = []
        assert process.stdout is not None
        try:
            for line in process.stdout:
                printed.append(line)
                if READY in line:
                    break
            errors.seek(0)
            assert READY in "".join(printed[-1:]), "".join(printed) + errors.read()
            yield process, "".join(printed), folder
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()


def typed(printed: str, number: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type the printed command of that number."""
    found = re.search(rf"^{number}\. .*\n   (.*)$", printed, re.MULTILINE)
    assert found, printed
    return subprocess.run(
        ["bash", "-c", found[1]], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )


def test_the_three_commands_and_ctrl_c(running: tuple[subprocess.Popen[str], str, Path]) -> None:
    """The allow is a 200 from the origin, the veto a 451 of pillar 128, the journal verifies, Ctrl-C ends it all."""
    process, printed, folder = running
    assert "JWT_SECRET_KEY is not set: made a development secret" in printed
    assert "judged by destination only" in printed
    assert (folder / ".run" / "jwt_secret_key").stat().st_mode & 0o777 == 0o600

    allowed = typed(printed, 1, folder).stdout
    assert allowed.startswith("HTTP/1.1 200 ")
    assert '"origin": "demo"' in allowed
    assert '"verdict":"allow"' in allowed.replace(" ", "")

    vetoed = typed(printed, 2, folder).stdout
    assert vetoed.startswith("HTTP/1.1 451 ")
    assert "X-EVE-Pillar: 128" in vetoed
    assert (folder / ".run" / "demo-origin.log").read_text().count("POST") == 1

    verified = typed(printed, 3, folder)
    assert verified.returncode == 3, verified.stdout + verified.stderr

    # Ctrl-C reaches every process of the terminal's foreground group.
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    verified = typed(printed, 3, folder)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_port_that_is_taken(folder: Path) -> None:
    """It says so, and how to use another one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [folder / "scripts" / "run"],
            env=environment(EVE_PROXY_PORT=port),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "EVE_PROXY_PORT=3129 scripts/run" in done.stderr


@pytest.mark.parametrize("port", ["abc", "-1", "65536"])
def test_a_port_that_is_none(folder: Path, port: str) -> None:
    """It says which variable is wrong and what to write, and does not talk of listening."""
    settings = environment(EVE_PROXY_PORT=port)
    done = subprocess.run([folder / "scripts" / "run"], env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"EVE_PROXY_PORT={port!r}: write a port" in done.stderr
    assert "cannot listen" not in done.stderr


def test_a_proxy_that_does_not_start(folder: Path) -> None:
    """A fault of the configuration is printed, the demo origin is stopped, and the exit status tells."""
    settings = environment(EVE_PROXY_PORT="0", EVE_PROXY_FAIL_CLOSE="0")
    done = subprocess.run([folder / "scripts" / "run"], env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "did you mean EVE_PROXY_FAIL_CLOSED?" in done.stdout + done.stderr
    assert READY not in done.stdout
