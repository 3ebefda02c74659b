"""The table of detectors, and how well they do on a small corpus of attacks and of ordinary bodies.

The corpus is a floor for development, not a measure of quality: it was seen while the detectors were written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from eve_proxy.model.exchange import Route
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.detectors import DETECTORS, armed
from eve_proxy.pdp.evaluate import evaluate
from eve_proxy.pdp.policy_file import load_policy
from eve_proxy.pdp.question import Question

CORPUS = Path(__file__).with_name("corpus")
POLICY = load_policy()
TYPES = {".json": b"application/json", ".txt": b"text/plain"}
RECALL = 0.9


def blocked(file: Path) -> bool:
    form = file.stem in ("form", "messages-form")
    kind = b"application/x-www-form-urlencoded" if form else TYPES[file.suffix]
    question = Question(
        id="cert_0", route=Route.FORWARD, method="POST", scheme="https", host="api.example.com", port=443, path=b"/v1",
        headers=Headers.of([(b"content-type", kind)]), body=file.read_bytes(),
    )  # fmt: skip
    answer = evaluate(POLICY, question)
    assert answer.allows or answer.pillar in ("128", "128b", "89")
    return not answer.allows


def files(folder: str) -> list[Path]:
    return sorted((CORPUS / folder).iterdir())


def test_attacks_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Nine of ten attacks of every family in the corpus are blocked."""
    families: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for file in files("attacks"):
        families[file.name.partition("-")[0]].append((file.name, blocked(file)))
    assert len(families) >= 8
    assert sum(map(len, families.values())) >= 40
    with capsys.disabled():
        for family, results in families.items():
            missed = [name for name, found in results if not found]
            print(f"\n  {family:14} {len(results) - len(missed)}/{len(results)} {' '.join(missed)}", end="")
    for family, results in families.items():
        assert sum(found for _, found in results) / len(results) >= RECALL, family


def test_ordinary_bodies_pass() -> None:
    """No ordinary body of the corpus is blocked."""
    benign = files("benign")
    assert len(benign) >= 60
    assert [file.name for file in benign if blocked(file)] == []


def test_detectors_are_armed_by_name() -> None:
    """A policy gets the detectors that it switches on, and no others."""
    names = frozenset(detector.name for detector in DETECTORS)
    assert {one.detector.name for one in armed(names, ("cyanide",))} == names
    assert armed(frozenset(), ("cyanide",)) == ()
    assert armed(frozenset(("symbolic_assembly",)), ()) == ()


def test_names_and_reasons_fit_into_a_certificate() -> None:
    """Every row can be certified as it is."""
    for detector in DETECTORS:
        assert len(detector.pillar) <= 32
        assert len(detector.vector) <= 32
        assert len(detector.reason) <= 200


def test_the_score_does_not_fall() -> None:
    """No family does worse than the committed floor, over 200 attacks and 500 ordinary bodies."""
    loader = SourceFileLoader("detect_score", str(Path(__file__).parents[2] / "scripts" / "detect-score"))
    module = module_from_spec(spec_from_loader("detect_score", loader))
    loader.exec_module(module)
    result = module.score()
    floor = json.loads((CORPUS / "floor.json").read_text("utf-8"))
    assert floor.keys() == result.keys()
    assert [family for family, (right, total) in result.items() if right / total < floor[family]] == []
    sizes = {family: total for family, (_, total) in result.items()}
    ordinary = [size for family, size in sizes.items() if family.startswith("benign-")]
    assert sum(ordinary) >= 500
    assert sum(sizes.values()) - sum(ordinary) >= 200
    assert len(sizes) - len(ordinary) >= 10
