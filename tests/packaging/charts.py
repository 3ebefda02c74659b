"""The Helm chart, rendered by real Helm code, and the objects that come out."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "etc" / "helm" / "eve-sidecar"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
VERSIONS = ("1.29", "1.31", "1.33")
ABSENT = [name for name in ("helm_python", "kubernetes_validate") if importlib.util.find_spec(name) is None]
REASON = f"not installed: {', '.join(ABSENT)} (scripts/venv test contract deploy; Linux on x86-64)" if ABSENT else None

Rendered = dict[str, Any]
Thing = dict[str, Any]


def render(jobs: Mapping[str, dict[str, Any] | str], *, chart: Path = CHART, kube: str = "1.31") -> dict[str, Rendered]:
    """What Helm makes of each set of values, by the same names."""
    asked = {name: {"chart": str(chart), "values": values, "kube": kube} for name, values in jobs.items()}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("helm_process.py"))],
        input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: dict[str, Rendered] = json.loads(done.stdout)
    return result


def values(name: str) -> dict[str, Any]:
    """One of the chart's ci/ files."""
    loaded: dict[str, Any] = yaml.safe_load(VALUES[name].read_text("utf-8"))
    return loaded


def objects(rendered: Rendered) -> list[Thing]:
    """Everything that would be sent to the cluster."""
    texts = [text for path, text in rendered["files"].items() if path.endswith(".yaml")]
    return [thing for text in texts for thing in yaml.safe_load_all(text) if thing is not None]


def by_kind(things: list[Thing], kind: str) -> list[Thing]:
    return [thing for thing in things if thing["kind"] == kind]


def pod(things: list[Thing]) -> dict[str, Any]:
    """The pod's template: metadata and spec."""
    (workload,) = [thing for thing in things if thing["kind"] in ("StatefulSet", "Deployment")]
    template: dict[str, Any] = workload["spec"]["template"]
    return template


def containers(spec: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in [*spec.get("initContainers", []), *spec["containers"]]}


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
