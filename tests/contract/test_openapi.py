"""The file is a valid OpenAPI document, its examples are examples, and its lists are the code's."""

from __future__ import annotations

from typing import Any

import pytest

from eve_proxy.governance.codec import EVALUATE
from eve_proxy.governance.credential import AuthStyle
from eve_proxy.model.exchange import Coverage, Route
from tests.contract.openapi import document, faults, schema
from tests.pdp.test_question import DOCUMENT

QUESTION = DOCUMENT
ACTION = DOCUMENT["proposed_action"]


def operation() -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][EVALUATE]["post"]
    return found


def examples(part: dict[str, Any]) -> dict[str, Any]:
    return {name: example["value"] for name, example in part["content"]["application/json"]["examples"].items()}


def test_it_is_openapi() -> None:
    """Generators and viewers of other people read the file."""
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    validator.OpenAPIV31SpecValidator(document()).validate()


def test_its_examples_are_examples() -> None:
    """Who copies an example has copied a question that eve_proxy would send, or an answer that it would take."""
    questions, answers = examples(operation()["requestBody"]), examples(operation()["responses"]["200"])
    assert questions
    assert {answer["decision"]["status"] for answer in answers.values()} == {"ALLOWED", "BLOCKED", "MODIFIED"}
    for question in questions.values():
        assert faults(schema("EveProxyQuestion"), question) == []
        assert faults(schema("Question"), question) == []
    for answer in answers.values():
        assert faults(schema("Answer"), answer) == []


def test_its_credentials_are_the_ones_that_can_be_set() -> None:
    """Each style of EVE_PROXY_GOVERNANCE_AUTH is in the file, by that name."""
    whole, styles = document(), [style.value for style in AuthStyle]
    assert list(whole["components"]["securitySchemes"]) == styles
    assert whole["security"] == [{style: []} for style in styles]


def test_its_lists_are_the_code_s() -> None:
    """A route or a coverage that eve_proxy learns is in the file, or this fails."""
    schemas = document()["components"]["schemas"]
    assert schemas["ProposedAction"]["properties"]["route"]["enum"] == [route.value for route in Route]
    coverages = [coverage.value for coverage in Coverage]
    assert schemas["EveProxyQuestion"]["properties"]["context"]["properties"]["coverage"]["enum"] == coverages
    assert schemas["Question"]["properties"]["context"]["properties"]["coverage"]["enum"] == [*coverages, None]


@pytest.mark.parametrize(
    "change",
    [
        {"body": None},
        {"body_bytes": None},
        {"body_sha256": None},
        {"body_sha256": "00"},
        {"path": None},
        {"scheme": "python"},
        {"scheme": "ftp"},
        {"host": "API.example.com"},
        {"host": "[2001:db8::1]"},
        {"host": "api.example.com."},
        {"method": "CONNECT"},
        {"method": "G ET"},
        {"route": "library"},
        {"port": 0},
        {"headers": [["Accept", "a"]]},
        {"headers": [["accept", "a", "b"]]},
        {"headers": None},
        {"later": 1},
    ],
)
def test_what_eve_proxy_never_sends_is_not_in_its_schema(change: dict[str, Any]) -> None:
    """The schema says more than types: who builds on it can rely on the combinations as well."""
    question = examples(operation()["requestBody"])["forward"]
    assert faults(schema("EveProxyQuestion"), question) == []
    changed = {**question, "proposed_action": {**question["proposed_action"], **change}}
    assert faults(schema("EveProxyQuestion"), changed) != []


@pytest.mark.parametrize("coverage", ["none", "destination", "most", None])
def test_coverage_fits_what_is_shown(coverage: str | None) -> None:
    """``none`` is the library's alone, ``destination`` a tunnel's."""
    question = examples(operation()["requestBody"])["forward"]
    assert faults(schema("EveProxyQuestion"), {**question, "context": {**question["context"], "coverage": coverage}})
