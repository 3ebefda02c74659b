"""Every fuzz target for a short time, under atheris."""

from __future__ import annotations

import importlib.util
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason=f"atheris is not installed: it has no wheel for Python {platform.python_version()} on "
    f"{platform.system()} {platform.machine()}, or scripts/venv was not asked for the extra 'fuzz'",
)
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run(target: str, tmp_path: Path) -> None:
    """Twenty seconds of mutations of the corpora find nothing."""
    ran = subprocess.run(
        [sys.executable, "-m", "fuzz", target, "--seconds", str(SECONDS)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS * 6,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    executed = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
    assert executed, ran.stderr[-4000:]
    # More than the seeds: it did mutate.
    assert int(executed[1]) > 500
    assert not list((tmp_path / ".fuzz" / target / "findings").iterdir())
