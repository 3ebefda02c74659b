"""The shipped alerts and the example configuration, by Prometheus' own tool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from eve_proxy.metrics.families import FAMILIES
from tests.test_docs import headings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "etc" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text("utf-8"))["tests"]
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)
every_alert = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def kubernetes_job() -> dict[str, Any]:
    """The example's second job: a comment, since Debian's promtool is built without service discovery."""
    lines = (FOLDER / "prometheus.yaml").read_text("utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("  # - job_name"))
    (job,) = yaml.safe_load("\n".join(line.removeprefix("  # ") for line in lines[start:]))
    assert isinstance(job, dict)
    return job


def kept(job: dict[str, Any], container: str, port: str) -> bool:
    """Whether the job's rules keep a target: what Prometheus does with ``action: keep``."""
    labels = {
        "__meta_kubernetes_pod_container_name": container,
        "__meta_kubernetes_pod_container_port_name": port,
    }
    rules = [rule for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert rules
    return all(re.fullmatch(rule["regex"], ";".join(map(labels.__getitem__, rule["source_labels"]))) for rule in rules)


def test_the_job_for_kubernetes() -> None:
    """Without the # it is the alerts' job, and keeps the port that the chart names metrics."""
    job = kubernetes_job()
    assert job["job_name"] == "eve-proxy"
    assert kept(job, "eve-sidecar", "metrics")
    assert not kept(job, "eve-sidecar", "proxy")
    assert not kept(job, "app", "metrics")


@needs_promtool
@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", FOLDER / "alerts.yaml"),
        ("test", "rules", FOLDER / "alerts_test.yaml"),
        ("check", "config", FOLDER / "prometheus.yaml"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_is_content(command: tuple[Any, ...]) -> None:
    """Prometheus takes the files as they are, and each alert fires when its test says."""
    done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@every_alert
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """Whoever is woken up reads what happened, what to do next, and where there is more."""
    assert rule["labels"]["severity"] in ("critical", "warning")
    annotations = rule["annotations"]
    assert "instance" in annotations["summary"] or rule["alert"] == "EveProxyAbsent"
    assert len(annotations["description"]) > 80
    page, _, anchor = annotations["runbook_url"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in headings(ROOT / page)


@every_alert
def test_every_alert_is_seen_to_fire_and_not_to_fire(rule: dict[str, Any]) -> None:
    """There is a test in which it fires, alone, and a moment before in which it does not."""
    (group,) = [test for test in TESTS if test["name"] == rule["alert"]]
    quiet, firing = group["promql_expr_test"]
    assert quiet["exp_samples"] == []
    assert [sample["labels"] for sample in firing["exp_samples"]] == [f'{{alertname="{rule["alert"]}"}}']


@every_alert
def test_every_alert_asks_for_metrics_that_exist(rule: dict[str, Any]) -> None:
    """A metric that was renamed takes its alerts along."""
    names = set(re.findall(r"\b(?:eve_proxy|process|python)_[a-z_]+\b", rule["expr"]))
    ours = {family.name for family in FAMILIES}
    ours |= {f"{family.name}_bucket" for family in FAMILIES if family.kind == "histogram"}
    assert names <= {*ours, "process_start_time_seconds", "process_open_fds", "process_max_fds"}


def test_the_page_has_no_alert_that_is_gone() -> None:
    """No entry for an alert that does not exist."""
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert set(re.findall(r"^### (EveProxy\w+)$", page, re.MULTILINE)) == {rule["alert"] for rule in RULES}


def test_series_of_the_alerts_tests_exist() -> None:
    """The tests feed series that a real proxy has."""
    names = {re.split(r"[{ ]", series["series"])[0] for test in TESTS for series in test["input_series"]}
    ours = {name for family in FAMILIES for name in (family.name, f"{family.name}_bucket")}
    assert names <= {*ours, "up", "process_start_time_seconds", "process_open_fds", "process_max_fds"}
