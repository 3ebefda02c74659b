"""docs/governance-api.openapi.yaml, for tests. Those that need a validator are skipped where it is not installed."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).resolve().parents[2] / "docs" / "governance-api.openapi.yaml"


@cache
def document() -> dict[str, Any]:
    """The whole file."""
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def schema(name: str) -> dict[str, Any]:
    """One schema, with what it refers to."""
    return {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}


def closed(name: str) -> dict[str, Any]:
    """The schema, with no member allowed that it does not name."""
    whole = copy.deepcopy(schema(name))
    _close(whole["components"]["schemas"][name])
    return whole


def faults(found: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with ``value``; empty when nothing is."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (pip install jsonschema)")
    validator = jsonschema.Draft202012Validator(found)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _close(part: Any) -> None:
    properties = part.get("properties")
    if properties is not None:
        part["additionalProperties"] = False
        for inner in properties.values():
            _close(inner)
    if "items" in part:
        _close(part["items"])
