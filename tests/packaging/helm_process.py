"""Run as a program: real Helm code, in a process of its own, because it brings a Go runtime with it.

    python helm_process.py < JOBS > RESULTS

JOBS is a JSON object of ``{"chart": folder, "values": object, "kube": version}`` by name; values may also be text for
``--set``. RESULTS has by the same names
``{"lint": [message], "files": {template: text}}``, or ``{"lint": ..., "error": text}`` where nothing was rendered.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python

INFORMATION = 1


def rendered(job: dict[str, Any]) -> dict[str, Any]:
    values, kube = job["values"], job["kube"]
    if isinstance(values, str):
        values = helm_python.parse_set_string(values)
    report = helm_python.lint(job["chart"], values, strict=True, namespace="egress", kube_version=f"v{kube}.0")
    messages = [each["error"] for each in report["messages"] if each["severity"] > INFORMATION]
    result: dict[str, Any] = {"lint": messages + list(report["errors"] or [])}
    with helm_python.Chart.load(job["chart"]) as chart:
        try:
            result["files"] = chart.render(values, name="egress", namespace="egress")
        except helm_python.HelmError as error:
            result["error"] = str(error)
    return result


if __name__ == "__main__":
    json.dump({name: rendered(job) for name, job in json.load(sys.stdin).items()}, sys.stdout)
