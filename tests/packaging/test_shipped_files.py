"""What stands in the repository beside the package: drawn tables, scripts, commands in documents."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eve_proxy.settings.variables import BY_NAME

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"] if path.suffix == "")
DOCUMENTS = [
    *SCRIPTS,
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
    *sorted((ROOT / "etc").glob("**/*")),
    *sorted((ROOT / "systemd").iterdir()),
]


def test_the_drawn_tables_are_up_to_date() -> None:
    """README and etc/eve-proxy.env.example list exactly the variables that the daemon reads."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tables.py"], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_every_variable_of_the_example_exists() -> None:
    """Somebody who takes the # away does not run into an unknown name."""
    text = (ROOT / "etc" / "eve-proxy.env.example").read_text()
    assert set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)) == set(BY_NAME)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_can_be_run(script: Path) -> None:
    """Each is executable, and bash understands those that are for bash."""
    assert os.access(script, os.X_OK)
    first = script.read_text().splitlines()[0]
    assert first in ("#!/usr/bin/env bash", "#!/usr/bin/env python3")
    if first.endswith("bash"):
        assert "set -euo pipefail" in script.read_text()
        subprocess.run(["bash", "-n", script], check=True, timeout=30)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_shown_keeps_pid_files_away(document: Path) -> None:
    """A second ``twistd -n`` in one folder dies over the first one's pid file: no shipped command makes one."""
    if document.is_dir():
        return
    for line in document.read_text(encoding="utf-8").splitlines():
        if re.search(r"\btwistd\"? -n\b", line):
            assert "--pidfile=" in line, line


def test_names_in_the_readme_exist() -> None:
    """The README names no variable that the daemon would refuse."""
    names = set(re.findall(r"\bEVE_PROXY_[A-Z_]*[A-Z]\b", (ROOT / "README.md").read_text()))
    assert names <= {*BY_NAME, "EVE_PROXY_SERVICE", "EVE_PROXY_PORT"}


def test_the_image_pins_every_dependency() -> None:
    """A dependency that is added without a hash would stop the image's build, long after the change."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = {
        re.split(r"[<>=!~\[; ]", line)[0].lower() for line in setup["options"]["install_requires"].split("\n") if line
    }
    pinned = (ROOT / "etc" / "docker" / "requirements.txt").read_text("utf-8")
    names = {line.partition("==")[0].lower() for line in pinned.splitlines() if "==" in line}
    assert wanted <= names
    assert pinned.count("--hash=sha256:") >= len(names)
