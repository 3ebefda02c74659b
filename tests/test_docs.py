"""What the documents name exists: tests, files, headings, variables."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from eve_proxy.settings.variables import BY_NAME

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "fuzz" / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
# The variable of the plugin that docs/plugins.md writes.
EXAMPLES = {"EVE_PROXY_TICKET_METHODS"}
TEST = re.compile(r"\btests/[\w/.-]+\.py(?:::\w+)*")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\b(?:EVE_PROXY_[A-Z_]*[A-Z]|JWT_[A-Z_]*[A-Z])\b")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@cache
def names_in(file: Path) -> frozenset[str]:
    """``test_x`` and ``TestY::test_x`` of a file."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test_"))


def headings(page: Path) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    """Whoever looks for the proof of a claim finds it."""
    for mention in TEST.findall(page.read_text(encoding="utf-8")):
        name, _, test = mention.partition("::")
        assert (ROOT / name).is_file(), mention
        assert not test or test in names_in(ROOT / name), mention


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """No dead ends, also not to a heading that was renamed."""
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in headings(file), target


@every_page
def test_every_variable_that_is_named_exists(page: Path) -> None:
    """No page tells an operator to set what would stop the start."""
    assert set(VARIABLE.findall(page.read_text(encoding="utf-8"))) <= {*BY_NAME, *EXAMPLES, "EVE_PROXY_SERVICE"}


def test_the_laws_all_have_tests() -> None:
    """Each of the seven laws names at least one test in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    laws = re.findall(r"^\| ([1-7]) \| \*\*(.*)$", text, re.MULTILINE)
    assert [number for number, _ in laws] == list("1234567")
    assert all("::test_" in law for _, law in laws)
