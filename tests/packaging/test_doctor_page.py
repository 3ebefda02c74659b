"""docs/doctor.md: its table has every check, its manifests are valid, its units are units."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from eve_proxy.cli.doctor import main
from eve_proxy.doctor.examination import checks
from eve_proxy.doctor.machine import Machine
from eve_proxy.doctor.plan import DIRECT, METADATA, TARGETS, read_direct, read_target
from eve_proxy.doctor.report import document
from tests.doctor.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "doctor.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_has_every_check() -> None:
    """Whoever sees a name in the output finds it on the page."""
    bench = Bench(direct=tuple(map(read_direct, DIRECT)), targets=tuple(map(read_target, TARGETS)), metadata=METADATA)
    machine = Machine(uid=1, capabilities=0, open_files=1024, listeners={}, proc=Path("/nowhere"))
    planned = {name for check in checks(bench.tools, machine, {}) for name in check.names} | {"posture-record"}
    table = PAGE[PAGE.index("## The checks") : PAGE.index("## For machines")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)} == planned


def test_the_page_names_every_destination_and_every_field() -> None:
    """Nothing is sent to anybody who is not listed; machines find the fields that they are promised."""
    sent = PAGE[PAGE.index("## What is sent") : PAGE.index("## The checks")]
    for text in (*METADATA.values(), *TARGETS, "1.1.1.1", "2606:4700:4700::1111"):
        assert f"`{text}`" in sent, text
    told = document([("g", [])], wall=0, proxy="http://p:1")
    machines = PAGE[PAGE.index("## For machines") : PAGE.index("## The posture record")]
    assert re.findall(r"^\| `(\w+)`", machines, re.MULTILINE) == list(told)


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33"])
def test_the_manifest(version: str) -> None:
    """A cluster would take it, and its command is one that the doctor understands."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed (pip install -e '.[contract]')")
    import kubernetes_validate

    (manifest,) = (yaml.safe_load(block) for block in blocks("yaml"))
    kubernetes_validate.validate(manifest, version, strict=True)
    (container,) = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][:2] == ["eve-proxy", "doctor"]
    with_an_impossible_one = [*container["command"][2:], "--timeout", "0"]
    assert main(with_an_impossible_one, io.StringIO(), io.StringIO(), {}) == 2


def test_the_units(tmp_path: Path) -> None:
    """systemd has nothing to say about them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    names = []
    for block in blocks("ini"):
        name = block.splitlines()[0].rpartition("/")[2]
        text = block.replace("/opt/eve-proxy/bin/eve-proxy", "/bin/true").replace("User=myapp", "User=daemon")
        (tmp_path / name).write_text(text)
        names.append(str(tmp_path / name))
    assert [Path(name).name for name in names] == ["eve-doctor.service", "eve-doctor.timer"]
    said = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "eve-doctor" in line]
    assert (said.returncode, ours) == (0, []), said.stderr
