"""Policy files: what is accepted, and what is said about the rest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.exchange import Route
from eve_proxy.pdp.policy_file import LARGEST_FILE, SHIPPED, PolicyFault, load_policy, parse_policy

ROOT = Path(__file__).parents[2]


def faults(text: str | bytes) -> str:
    with pytest.raises(PolicyFault) as caught:
        parse_policy(text.encode() if isinstance(text, str) else text)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return str(caught.value)


def test_the_shipped_policy_loads() -> None:
    """The daemon works out of the box, allows by default and vetoes symbolic assembly."""
    policy = load_policy()
    assert (policy.name, policy.allows) == ("egress_v1", True)
    detector = policy.detectors[0].detector
    assert (detector.pillar, detector.vector) == ("128", "706")
    assert detector.reason == "Pillar 128 Violation: Symbolic Assembly Attack Detected"


def test_the_copy_in_etc_is_the_shipped_policy() -> None:
    """What an operator copies from etc/ is what runs without a file."""
    assert (ROOT / "etc" / "egress_v1.yaml").read_bytes() == SHIPPED.read_bytes()


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    """Whoever follows docs/policy.md word for word gets a policy."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    file = tmp_path / "mine.yaml"
    file.write_text(text.split("```yaml\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    policy = load_policy(file)
    assert [rule.id for rule in policy.rules] == ["partner-uploads", "no-telemetry", "no-card-numbers"]
    assert policy.rules[0].match.hosts == ("partner.example",)
    assert policy.rules[0].match.routes == {Route.FORWARD, Route.INTERCEPTED}


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    """An auditor can tell from a certificate which text decided: sha256sum says the same."""
    file = tmp_path / "p.yaml"
    file.write_bytes(b"name: x # a comment counts\ndefault: block\n")
    policy = load_policy(str(file))
    assert policy.ref.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (policy.ref.set, policy.allows, policy.rules, policy.detectors) == ("x", False, (), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name: is missing"),
        ("default: allow", "name: is missing"),
        ("name: x", "default: must be one of allow, block"),
        ("- 1", "policy: must be a mapping"),
        ("name: x\ndefault: permit", "default: must be one of allow, block"),
        ("name: 7\ndefault: allow", 'name: must be text; put it in quotes: "7"'),
        ('name: "a\\nb"\ndefault: allow', "name: must have 1 to 128 printable characters"),
        ("name: x\ndefault: allow\nrulez: []", "policy: unknown key 'rulez'; known are"),
        ("name: x\ndefault: allow\ndetectors: {symbolic_assembly: on}", "vocabulary: is empty, but a detector needs"),
        ("name: x\ndefault: allow\ndetectors: {telepathy: on}", "unknown key 'telepathy'"),
        ("name: x\ndefault: allow\ndetectors: {symbolic_assembly: maybe}", "must be on or off"),
        ("name: x\ndefault: allow\nvocabulary: [tiny]", "has 4 letters and digits"),
        ("name: x\ndefault: allow\nvocabulary: [12345]", "must be text"),
        ("name: x\ndefault: allow\nvocabulary: [Nerve-Agent, nerve agent]", "is the same as 'Nerve-Agent'"),
        ("name: x\ndefault: allow\nrequests: [{asks: [make]}]", "requests: no. 1: needs asks and objects"),
        ("name: x\ndefault: allow\nrequests: [{asks: [a], objects: [7]}]", "requests: no. 1.objects: 7 must be text"),
        ("name: x\ndefault: allow\nrequests: [{asks: ['*'], objects: [a]}]", "must have 1 to 64 letters and digits"),
        ("name: x\ndefault: allow\nrequests: [{asks: [a], objects: [b], telling: 1}]", "telling: must be on or off"),
        ("name: x\ndefault: allow\nrequests: [{verbs: [a]}]", "unknown key 'verbs'; known are asks, objects, telling"),
        ("name: x\ndefault: allow\nname: y", "line 3: the key 'name' is there twice"),
    ],
)  # fmt: skip
def test_a_fault_says_where_and_what_to_do(text: str, said: str) -> None:
    """A policy with a mistake never loads, and the message is enough to mend it."""
    assert said in faults(text)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("verdict: block, match: {}", "rule no. 1: id: is missing"),
        ("id: a, match: {}", "rule a: verdict: must be one of allow, block"),
        ("id: a, verdict: deny, match: {}", "rule a: verdict: must be one of allow, block"),
        ("id: a, verdict: block", "rule a: has no match; write match: {}"),
        ("id: a, verdict: block, match: {}, when: now", "rule a: unknown key 'when'"),
        ("id: a, verdict: block, match: {host: x}", "rule a: match: unknown key 'host'; known are body, head"),
        ("id: a, verdict: block, match: {hosts: [a b]}", "rule a: match.hosts: 'a b' is not a host name or address"),
        ("id: a, verdict: block, match: {hosts: x.com}", "rule a: match.hosts: must be a list"),
        ("id: a, verdict: block, match: {hosts: []}", "rule a: match.hosts: is empty"),
        ("id: a, verdict: block, match: {hosts: [no]}", "must be text; put it in quotes"),
        ("id: a, verdict: block, match: {ports: [0]}", "0 is not a port"),
        ("id: a, verdict: block, match: {ports: [on]}", "True is not a port"),
        ("id: a, verdict: block, match: {methods: ['P T']}", "is not a method"),
        ("id: a, verdict: block, match: {routes: [tunnel]}", "is not a route; known are forward, connect"),
        ("id: a, verdict: block, match: {path: '(?=x)'}", "rule a: match.path: invalid perl operator"),
        ("id: a, verdict: block, match: {body: '('}", "RE2 syntax is needed"),
        ("id: a, verdict: block, match: {headers: {x-a: '['}}", "rule a: match.headers.x-a: "),
        ("id: a, verdict: block, match: {headers: {x-a: null}}", "rule a: match.headers.x-a: must be a pattern"),
        ("id: a, verdict: block, match: {body: 5}", "must be a pattern in quotes"),
        ("id: a, verdict: block, pillar: 128, match: {}", "rule a: pillar: must be text"),
        ("id: a, verdict: block, reason: '', match: {}", "rule a: reason: must have 1 to 200"),
    ],
)  # fmt: skip
def test_a_faulty_rule_is_named(rule: str, said: str) -> None:
    """The message leads to the rule by its id."""
    assert said in faults(f"name: x\ndefault: allow\nrules:\n  - {{{rule}}}\n")


def test_all_faults_are_told_at_once() -> None:
    """Nobody has to mend a file one restart at a time."""
    text = (
        "name: 3\nrules:\n - {id: a, verdict: x, match: {ports: [99999], path: '('}}\n"
        " - {id: a, verdict: block, match: {}}\n"
    )
    lines = faults(text).splitlines()
    assert len(lines) == 6
    assert any("this id is used twice" in line for line in lines)


def test_unreadable_and_oversized_files_are_faults(tmp_path: Path) -> None:
    """A wrong path is told like any other mistake."""
    with pytest.raises(PolicyFault, match="No such file"):
        load_policy(tmp_path / "absent.yaml")
    with pytest.raises(PolicyFault, match="not a path"):
        load_policy("a\0b")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(PolicyFault, match="larger than"):
        load_policy(large)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ("name: x\ndefault: allow\n" + text).encode()))
def test_any_bytes_are_a_policy_or_a_fault(text: bytes) -> None:
    """No file makes the daemon fail in another way than by saying what is wrong."""
    try:
        assert parse_policy(text).name
    except PolicyFault as error:
        assert error.faults  # noqa: PT017 (either outcome is right)
