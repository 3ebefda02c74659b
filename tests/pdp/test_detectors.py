"""The table of detectors: how well they do on the corpus, and that their work grows with the body and no faster."""

from __future__ import annotations

import base64
import importlib
import json
import pkgutil
import random
import re
import sys
import tracemalloc
from collections import Counter
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from eve_proxy import pdp
from eve_proxy.model.exchange import Route
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.detectors import DETECTORS, armed
from eve_proxy.pdp.evaluate import evaluate
from eve_proxy.pdp.lexicon import Request
from eve_proxy.pdp.policy_file import load_policy
from eve_proxy.pdp.question import Question

ROOT = Path(__file__).parents[2]
POLICY = load_policy()
KIBIBYTE = 1 << 10
TELLING = (
    b"join the pieces, drop the dashes, backwards, first letters, every other, replace 0 with o, "
    b"decode the base64 cipher. "
)
HOSTILE = {
    "singles": b"c y a n i d ",
    "literals": b'"cy"+"an"+',
    "definitions": b"a='cy';b='an';",
    "lines": b"a\n",
    "curly": "Füge “a” ".encode(),
    "escapes": b"\\u0063\\u0079 \\x41",
    "one letter": b"a",
    "decoys": b"assassin ate zz silence r zz sar in zz r icin zz hero in zz her oin zz ",
    "encoded": b"Y3lhbmlkZ1 63 79 61 99, 121 c\xd1\x83an ",
    "numbers": b"99 121 97 ",
    "bits": b"01100011",
    "morse": b"-.-. -.-- ",
    "quotes": b"'\"`",
    "brackets": b"[(<{x}>)]",
    "equals": b"a=",
    "look-alikes": "m\u0430k\u0435 \u200b".encode(),
    "base64": b"QUJDREVGRw",
    "keys": b"AKIAIOSFODNN7EXAMPLE ",
}


def question(body: bytes, kind: bytes = b"text/plain") -> Question:
    return Question(
        id="cert_0", route=Route.FORWARD, method="POST", scheme="https", host="api.acme.dev", port=443, path=b"/v1",
        headers=Headers.of([(b"content-type", kind)]), body=body,
    )  # fmt: skip


def filled(pattern: bytes, size: int) -> bytes:
    return (TELLING + pattern * (size // len(pattern)))[:size]


@pytest.fixture(scope="module")
def scoring() -> ModuleType:
    loader = SourceFileLoader("detect_score", str(ROOT / "scripts" / "detect-score"))
    spec = spec_from_loader("detect_score", loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules["detect_score"] = module
    loader.exec_module(module)
    return module


def test_detectors_are_armed_by_name() -> None:
    """A policy gets the detectors that it switches on, and no others."""
    names = frozenset(detector.name for detector in DETECTORS)
    assert {one.detector.name for one in armed(names, ("cyanide",))} == names
    assert armed(frozenset(), ("cyanide",)) == ()
    assert armed(frozenset(("symbolic_assembly",)), ()) == ()
    assert [one.detector.name for one in armed(names, ())] == ["known_credentials", "named_secrets"]


def test_requests_of_a_policy_reach_its_detectors() -> None:
    """An everyday word that a policy lists is protected."""
    names = frozenset(("symbolic_assembly",))
    made = Request(asks=("how to",), objects=("umbrella",), telling=True)
    body = question(b"Join the pieces: 'umbr' + 'ella'. How to?")
    assert [one.found_in(body) for one in armed(names, ("cyanide",), (made,))] == [True]
    assert [one.found_in(body) for one in armed(names, ("cyanide",))] == [False]


def test_names_and_reasons_fit_into_a_certificate() -> None:
    """Every row can be certified as it is."""
    for detector in DETECTORS:
        assert len(detector.pillar) <= 32
        assert len(detector.vector) <= 32
        assert len(detector.reason) <= 200


def test_the_score_is_the_one_that_is_written_down(scoring: ModuleType) -> None:
    """Detection neither gets worse unseen nor better unrecorded, family by family."""
    floor = json.loads((ROOT / "tests/pdp/corpus/floor.json").read_text("utf-8"))
    assert scoring.differences(scoring.score(), floor) == []
    [first, second, *_] = floor["history"]
    assert "first contact" in first["what"]
    assert "first contact" in second["what"]


def test_a_difference_is_noticed_either_way(scoring: ModuleType) -> None:
    """The check above can fail."""
    row = {"bodies": 2, "blocked": 1, "pillar": 1}
    floor = {"attacks": {"a": row}, "benign": {}}
    assert scoring.differences({"attacks": {"a": row}, "benign": {}}, floor) == []
    for other in ({"a": row | {"blocked": 2}}, {"a": row | {"blocked": 0}}, {}, {"a": row, "b": row}):
        assert len(scoring.differences({"attacks": other, "benign": {}}, floor)) == 1


def test_the_corpus_is_large_enough_and_holds_no_example(scoring: ModuleType) -> None:
    """What the README and the demonstration show was not trained for."""
    cases = list(scoring.cases())
    families = Counter((case.kind, case.family) for case in cases)
    sizes = Counter(case.kind for case in cases)
    assert sizes["attacks"] >= 200
    assert sizes["benign"] >= 500
    assert len([kind for kind, _ in families if kind == "attacks"]) >= 10
    assert len({(case.content_type, case.body) for case in cases}) >= 0.97 * len(cases)
    shown = [
        example
        for file in ("README.md", "scripts/run", "docs/policy.md", "docs/operations.md")
        for example in re.findall(r"-d '([^']+)'", (ROOT / file).read_text("utf-8"))
    ]
    assert shown
    for example in [*shown, "ther-mi-te"]:
        text = json.loads(example)["prompt"] if example.startswith("{") else example
        assert not [case.family for case in cases if case.kind == "attacks" and text.encode() in case.body], example


@pytest.mark.parametrize("name", HOSTILE)
def test_steps_grow_with_the_body_and_no_faster(name: str) -> None:
    """A body of twice the size takes at most about twice the steps: counted, not timed."""
    small, large = (_steps(filled(HOSTILE[name], size * KIBIBYTE)) for size in (320, 640))
    assert large < 2.6 * small + 2000


@pytest.mark.parametrize("name", HOSTILE)
def test_steps_within_a_window_are_bounded(name: str) -> None:
    """Nor does it help to stay below the size from which a text is only skimmed."""
    small, large = (_steps(filled(HOSTILE[name], size * KIBIBYTE)) for size in (24, 48))
    assert large < 2.6 * small + 2000


def _steps(body: bytes) -> int:
    """Calls, of Python and of C, that judging ``body`` takes. What happens inside one call is linear: see below."""
    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    asked = question(body)
    evaluate(POLICY, asked)
    sys.setprofile(count)
    try:
        evaluate(POLICY, asked)
    finally:
        sys.setprofile(None)
    return steps


def _patterns() -> list[re.Pattern[bytes] | re.Pattern[str]]:
    found = []
    for module in pkgutil.walk_packages(pdp.__path__, "eve_proxy.pdp."):
        for value in vars(importlib.import_module(module.name)).values():
            found += [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, re.Pattern)]
    return found


@pytest.mark.parametrize("pattern", _patterns(), ids=lambda pattern: repr(pattern.pattern)[:60])
def test_no_pattern_repeats_without_bound_inside_a_repetition(pattern: re.Pattern[bytes]) -> None:
    """A backtracking pattern cannot take exponential time: re2 is linear by itself, re has to be looked at."""
    assert _deepest(_parsed(pattern)) <= 1


def test_a_bad_pattern_is_noticed() -> None:
    """The check above can fail."""
    assert _deepest(_parsed(re.compile(rb"(?:a+)+b"))) == 2
    assert len(_patterns()) > 10


def _parsed(pattern: re.Pattern[Any]) -> Any:
    text = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    return importlib.import_module("re._parser").parse(text)


def _deepest(tree: Any) -> int:
    """How many repetitions without a bound lie inside each other."""
    endless = importlib.import_module("re._constants").MAXREPEAT
    depth = 0
    for operation, argument in tree:
        inner = [argument] if not isinstance(argument, (tuple, list)) else list(argument)
        nested = max((_deepest(one) for one in _trees(inner)), default=0)
        if str(operation) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[1] is endless:
            nested += 1
        depth = max(depth, nested)
    return depth


def _trees(values: list[Any]) -> list[Any]:
    kind = importlib.import_module("re._parser").SubPattern
    found = []
    for value in values:
        if isinstance(value, kind):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _trees(list(value))
    return found


# What readings and decoders could make much of.
GROWING = ("definitions", "equals", "curly", "escapes", "quotes", "encoded")
# A JSON tree that would take thirty times its text.
NODES = b'["' + TELLING + b'",' + b"[{}]," * (256 * KIBIBYTE) + b"1]"


@pytest.mark.parametrize(
    "body",
    [NODES, b"[" * (1024 * KIBIBYTE), *(filled(HOSTILE[name], 1024 * KIBIBYTE) for name in GROWING)],
    ids=["nodes", "nesting", *GROWING],
)
def test_memory_is_bounded(body: bytes) -> None:
    """A hostile body of a MiB or more does not grow the process beyond ten times its own size."""
    asked = question(body, b"application/json")
    evaluate(POLICY, asked)
    tracemalloc.start()
    evaluate(POLICY, asked)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(body)


def test_random_uploads_pass() -> None:
    """Archives and pictures are no attack, whatever is asked next to them, and however long they are."""
    draw = random.Random(3)
    for size in (1, 40, 300, 9 * KIBIBYTE):
        data = draw.randbytes(size * KIBIBYTE)
        assert evaluate(POLICY, question(TELLING + data)).allows
        assert evaluate(POLICY, question(data)).allows
    text = base64.b64encode(draw.randbytes(6 * KIBIBYTE * KIBIBYTE))
    assert evaluate(POLICY, question(TELLING + text)).allows
