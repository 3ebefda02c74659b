"""The document's own commands, run as they are printed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eve_proxy.model.certificate import FIELDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "decision-certificate.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_field_table_is_the_codes() -> None:
    """The table lists every field, in the order of the line."""
    table = PAGE.split("## Fields")[1].split("**Coverage.**")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall("`(.*?)`", row)] == list(FIELDS)


def test_by_hand_with_the_standard_library() -> None:
    """The Python lines verify the vector."""
    (script,) = [block for block in blocks("python") if "hashlib" in block]
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("verified\n", "")


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("openssl")), reason="needs jq and openssl")
def test_by_hand_with_jq_and_openssl() -> None:
    """The shell lines verify the vector and the chain."""
    said = [subprocess.run(["bash", "-c", block], cwd=ROOT, capture_output=True, text=True) for block in blocks("sh")]
    assert [(run.stdout, run.stderr) for run in said] == [("verified\n", ""), ("chained\n", "")]


def test_command_says_what_the_page_shows() -> None:
    """The printed output is the command's output."""
    (console,) = blocks("console")
    shown = console.splitlines()
    for command, output in zip(shown[::2], shown[1::2], strict=True):
        words = command.removeprefix("$ eve-proxy ").split()
        run = subprocess.run(
            [sys.executable, "-c", "import sys; from eve_proxy.cli import main; sys.exit(main(sys.argv[1:]))", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert (run.stdout, run.stderr) == (output + "\n", "")
