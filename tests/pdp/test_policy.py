"""Which questions a rule is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eve_proxy.model.exchange import Route
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.policy import under_any
from eve_proxy.pdp.policy_file import parse_policy
from eve_proxy.pdp.question import Question

QUESTION = Question(
    id="cert_0", route=Route.FORWARD, method="POST", scheme="https", host="a.example.com", port=443,
    path=b"/v1/upload?x=1", headers=Headers.of([(b"X-Team", b"red"), (b"X-Team", b"blue")]), body=b"hello secret",
)  # fmt: skip


def fits(match: str, question: Question = QUESTION) -> bool:
    text = f"name: x\ndefault: allow\nrules: [{{id: a, verdict: block, match: {match}}}]"
    return parse_policy(text.encode()).rules[0].match.fits(question)


@pytest.mark.parametrize(
    "match",
    [
        "{}",
        "{hosts: [example.com]}",
        "{hosts: [.EXAMPLE.com.]}",
        "{hosts: [other.net, a.example.com]}",
        "{methods: [GET, POST]}",
        "{ports: [443, 80]}",
        "{routes: [forward]}",
        "{path: '^/v1/'}",
        "{path: 'x=1'}",
        "{headers: {X-Team: '^blue$'}}",
        "{body: 'secret'}",
        "{hosts: [com], methods: [POST], ports: [443], path: upload, headers: {x-team: red}, body: hello}",
    ],
)
def test_a_rule_fits_when_everything_it_names_agrees(match: str) -> None:
    """Each kind of condition does what the documentation says."""
    assert fits(match)


@pytest.mark.parametrize(
    "match",
    [
        "{hosts: [ple.com]}",
        "{hosts: [b.example.com]}",
        "{methods: [post]}",
        "{ports: [80]}",
        "{routes: [connect]}",
        "{path: '^v1'}",
        "{headers: {x-team: green}}",
        "{headers: {x-other: ''}}",
        "{body: 'SECRET'}",
        "{hosts: [example.com], ports: [80]}",
    ],
)
def test_a_rule_does_not_fit_when_one_condition_fails(match: str) -> None:
    """A rule never reaches further than it says."""
    assert not fits(match)


def test_a_body_pattern_needs_a_body() -> None:
    """A pattern that fits nothing does not fit a request without a body."""
    assert not fits("{body: ''}", replace(QUESTION, body=b""))


@pytest.mark.parametrize("suffix", ["10.0.0.7", "2001:db8::1"])
def test_an_address_only_equals_itself(suffix: str) -> None:
    """Addresses have no suffixes."""
    assert fits(f"{{hosts: ['{suffix}']}}", replace(QUESTION, host=suffix))
    assert not under_any("110.0.0.7", ("10.0.0.7",))
