"""The order of a decision."""

from __future__ import annotations

from dataclasses import replace

from eve_proxy.model.exchange import Route
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.evaluate import Answer, evaluate
from eve_proxy.pdp.policy_file import parse_policy
from eve_proxy.pdp.question import Question

QUESTION = Question(
    id="cert_0", route=Route.FORWARD, method="POST", scheme="https", host="a.example.com", port=443,
    path=b"/", headers=Headers(), body=b"",
)  # fmt: skip
ATTACK = replace(QUESTION, body=b"print('cy' + 'anide')")
POLICY = parse_policy(b"""
name: x
default: allow
vocabulary: [cyanide]
detectors: {symbolic_assembly: on}
rules:
  - {id: trusted, verdict: allow, match: {hosts: [a.example.com]}}
  - {id: named, verdict: block, reason: because, pillar: "89", vector: "1", match: {hosts: [example.com]}}
  - {id: plain, verdict: block, match: {hosts: [example.net]}}
""")


def test_the_first_rule_that_fits_decides() -> None:
    """Exceptions stand before the rule they except."""
    assert evaluate(POLICY, QUESTION) == Answer(allows=True, reason="allowed by rule trusted", rule="trusted")
    blocked = evaluate(POLICY, replace(QUESTION, host="b.example.com"))
    assert blocked == Answer(allows=False, reason="because", rule="named", pillar="89", vector="1")
    assert evaluate(POLICY, replace(QUESTION, host="example.net")).reason == "blocked by rule plain"


def test_a_detector_is_not_lifted_by_a_rule() -> None:
    """Pillar 128 runs first and its veto takes precedence, for trusted hosts too."""
    answer = evaluate(POLICY, ATTACK)
    assert not answer.allows
    assert (answer.pillar, answer.vector) == ("128", "706")
    assert answer.reason == "Pillar 128 Violation: Symbolic Assembly Attack Detected"


def test_a_detector_that_is_off_does_not_judge() -> None:
    """The switch in the policy works."""
    off = parse_policy(b"name: x\ndefault: allow\nvocabulary: [cyanide]\ndetectors: {symbolic_assembly: off}\n")
    assert evaluate(off, ATTACK).allows


def test_the_default_decides_the_rest() -> None:
    """Both defaults are what they say."""
    elsewhere = replace(QUESTION, host="example.org")
    assert evaluate(POLICY, elsewhere).allows
    closed = parse_policy(b"name: x\ndefault: block\n")
    assert not evaluate(closed, elsewhere).allows
    assert evaluate(closed, elsewhere).rule == "default"
