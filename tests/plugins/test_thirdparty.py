"""Drop-ins of third parties, found on a real ``sys.path`` by a fresh interpreter each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eve_proxy

HERE = Path(__file__).parent
ROOT = Path(eve_proxy.__file__).parents[1]
THIRD_PARTY = HERE / "thirdparty"
BROKEN = HERE / "thirdparty_broken"

PROGRAM = """
import json, sys
from eve_proxy.discover import declared_variables, discover
from eve_proxy.model.errors import ConfigurationError
names, settings = json.loads(sys.argv[1])
try:
    filters = [(type(found).__module__, found.name) for found in discover(names, settings)]
    print(json.dumps({"filters": filters, "variables": declared_variables(names)}))
except ConfigurationError as error:
    print(json.dumps({"faults": error.faults}))
"""


def start(*path: Path, names: tuple[str, ...], settings: dict[str, str] | None = None) -> dict[str, Any]:
    """What discovery answers in a process that has these folders on its path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM, json.dumps([names, settings or {}])]
    # In a folder of its own, so that nothing but PYTHONPATH says where modules are.
    done = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", [(THIRD_PARTY, ROOT), (ROOT, THIRD_PARTY)], ids=["before ours", "after ours"])
def test_an_installed_drop_in_is_found(path: tuple[Path, ...]) -> None:
    """A pre-filter that somebody else installed runs after the built-in ones, wherever its folder stands."""
    answer = start(*path, names=("acme_methods",), settings={"EVE_PROXY_ACME_METHODS": "PUT,DELETE"})
    assert answer["filters"] == [
        ["eve_proxy.policy.prefilters", "body_limit"],
        ["eve_proxy.plugins.acme_prefilter", "acme_methods"],
    ]
    assert answer["variables"] == ["EVE_PROXY_ACME_METHODS"]


def test_a_drop_in_that_is_not_named_does_not_run() -> None:
    """Installing a package changes no rule by itself, and its variables stay unknown."""
    answer = start(ROOT, THIRD_PARTY, names=(), settings={"EVE_PROXY_ACME_METHODS": "PUT"})
    assert answer == {"filters": [["eve_proxy.policy.prefilters", "body_limit"]], "variables": []}


def test_a_named_drop_in_that_is_not_installed_stops_the_start() -> None:
    """A missing rule is a fault, not a silence."""
    (fault,) = start(ROOT, names=("acme_methods",))["faults"]
    assert '"acme_methods", which no module of eve_proxy.plugins offers' in fault


def test_its_own_fault_reaches_the_operator() -> None:
    """A wrong value of a plugin's variable is reported in the plugin's words."""
    answer = start(ROOT, THIRD_PARTY, names=("acme_methods",), settings={"EVE_PROXY_ACME_METHODS": "put"})
    assert answer["faults"] == [
        "pre-filter acme_methods: EVE_PROXY_ACME_METHODS: write methods in capitals, such as PUT,DELETE"
    ]


@pytest.mark.parametrize("names", [(), ("acme_methods",), ("acme_broken",)])
def test_a_broken_drop_in_stops_the_start(names: tuple[str, ...]) -> None:
    """A drop-in that does not import is named with the import's error: Twisted would have dropped it silently."""
    answer = start(ROOT, THIRD_PARTY, BROKEN, names=names)
    assert "eve_proxy.plugins.acme_broken cannot be imported" in answer["faults"][0]
    assert "ModuleNotFoundError: No module named 'acme_rules_that_nobody_installed'" in answer["faults"][0]
    assert len(answer["faults"]) == (2 if names == ("acme_broken",) else 1)


def test_two_installed_copies_are_one_module_and_a_renamed_one_is_a_duplicate(tmp_path: Path) -> None:
    """The same drop-in under two names is ambiguous, and ambiguity stops the start."""
    folder = tmp_path / "eve_proxy" / "plugins"
    folder.mkdir(parents=True)
    source = (THIRD_PARTY / "eve_proxy" / "plugins" / "acme_prefilter.py").read_text()
    (folder / "acme_prefilter.py").write_text(source)
    assert "filters" in start(ROOT, THIRD_PARTY, tmp_path, names=("acme_methods",))
    (folder / "acme_copy.py").write_text(source)
    (fault,) = start(ROOT, THIRD_PARTY, tmp_path, names=("acme_methods",))["faults"]
    assert "offered more than once, by eve_proxy.plugins.acme_copy, eve_proxy.plugins.acme_prefilter" in fault


def test_nobody_replaces_a_built_in_module(tmp_path: Path) -> None:
    """A folder earlier on the path cannot put its own blocklist in the place of ours."""
    folder = tmp_path / "eve_proxy" / "plugins"
    folder.mkdir(parents=True)
    (folder / "builtin_prefilters.py").write_text("raise SystemExit('replaced')\n")
    answer = start(tmp_path, ROOT, names=(), settings={"EVE_PROXY_BLOCKED_HOSTS": "pastebin.com"})
    assert [name for _, name in answer["filters"]] == ["blocklist", "body_limit"]


def test_nothing_is_written_at_start(tmp_path: Path) -> None:
    """On a read-only file system there is no plugin cache to write, and none that could be stale."""
    folder = tmp_path / "eve_proxy" / "plugins"
    folder.mkdir(parents=True)
    (folder / "acme_prefilter.py").write_text((THIRD_PARTY / "eve_proxy/plugins/acme_prefilter.py").read_text())
    start(ROOT, tmp_path, names=("acme_methods",))
    assert [entry.name for entry in folder.iterdir()] == ["acme_prefilter.py"]
