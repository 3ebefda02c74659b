"""docs/plugins.md, followed literally: its module is put where it says, and its own tests are run against it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import eve_proxy
from eve_proxy.policy.mandatory import RESERVED_RULES

ROOT = Path(eve_proxy.__file__).parents[1]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    """Whoever copies the page's three listings gets a filter that is found and tests that pass."""
    module, *tests = blocks("python")
    assert len(tests) == 2
    folder = tmp_path / "eve-ticket"
    plugins = folder / "eve_proxy" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "ticket_prefilter.py").write_text(module, encoding="utf-8")
    for number, text in enumerate(tests):
        (tmp_path / f"test_page_{number}.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:twisted", "--rootdir=.", "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_package_is_what_the_page_says() -> None:
    """The page's pyproject.toml ships the folder that the page draws, and nothing of the proxy's."""
    (text,) = blocks("toml")
    assert tomllib.loads(text)["tool"]["setuptools"]["packages"] == ["eve_proxy.plugins"]


def test_every_listing_is_python() -> None:
    """No listing was cut."""
    for text in blocks("python"):
        ast.parse(text)


def test_the_reserved_names_are_listed() -> None:
    """An author reads beforehand which names are taken."""
    for name in RESERVED_RULES:
        assert f"`{name}`" in PAGE
