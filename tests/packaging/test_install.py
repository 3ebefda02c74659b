"""Every way to install lists both twistd commands, on a copy of the tree, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = {"eve-sidecar", "eve-governor"}


def run(*command: str | Path, cwd: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source as a fresh clone has it, so that a build leaves nothing behind here."""
    copy = tmp_path_factory.mktemp("tree")
    leave = shutil.ignore_patterns("__pycache__", "*.pyc", "dropin.cache")
    for folder in ("eve_proxy", "twisted"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=leave)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, tree, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A new environment that sees our dependencies. A path file's own path files are not read, so that an editable
    install of this project stays out of it."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    made = tmp_path / "venv" / "bin" / "python"
    site = run(made, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return made


def listed(python: Path, cwd: Path) -> set[str]:
    text = run(python, "-c", "from twisted.scripts.twistd import run; run()", "--help", cwd=cwd)
    return COMMANDS & set(text.split())


def test_the_wheel_holds_what_it_should(wheel: Path, tree: Path) -> None:
    """Package, plugin, type marker and policy are in it; tests and a ``twisted/__init__.py`` are not."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        metadata = opened.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    source = {str(path.relative_to(tree)) for path in (tree / "eve_proxy").rglob("*.py")}
    assert source <= names
    assert {"twisted/plugins/eve_proxy_plugin.py", "eve_proxy/py.typed", "eve_proxy/pdp/egress_v1.yaml"} <= names
    assert not {"twisted/__init__.py", "twisted/plugins/__init__.py"} & names
    assert {name.split("/")[0] for name in names} == {
        "eve_proxy",
        "twisted",
        wheel.name.split("-py3")[0] + ".dist-info",
    }
    assert "Requires-Python: >=3.11" in metadata


@pytest.mark.slow
@pytest.mark.parametrize("how", ["wheel", "folder", "editable in compat mode"])
def test_an_install_lists_both_commands(how: str, python: Path, wheel: Path, tree: Path, tmp_path: Path) -> None:
    """After installing, ``twistd --help`` offers the sidecar and the governor, and ``eve-proxy`` is there."""
    what = {
        "wheel": [wheel],
        "folder": [tree],
        "editable in compat mode": ["--config-settings", "editable_mode=compat", "--editable", tree],
    }[how]
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", *what, cwd=tmp_path)
    assert listed(python, tmp_path) == COMMANDS
    assert "verify" in run(python.with_name("eve-proxy"), "--help", cwd=tmp_path)


@pytest.mark.slow
def test_a_default_editable_install_hides_them(python: Path, tree: Path, tmp_path: Path) -> None:
    """The README's warning is still true; when this fails, the warning can go."""
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", tree, cwd=tmp_path)
    assert listed(python, tmp_path) == set()
