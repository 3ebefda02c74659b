"""Texts of variables whose values have parsers of their own."""

from __future__ import annotations

import pytest

from eve_proxy.governance.address import Kind as Address
from eve_proxy.model.authority import parse_authority
from eve_proxy.settings import structured
from eve_proxy.settings.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (structured.HOSTS, "bad host"),
        (structured.OPTIONAL_HOSTS, "bad host"),
        (structured.NETWORKS, "10.0.0.0/99"),
        (structured.CLIENTS, "everybody"),
        (structured.CLIENTS, ""),
        (structured.PORTS, "https"),
        (structured.GOVERNANCE_URL, "ftp://gov.example"),
    ],
)
def test_a_text_that_means_nothing(kind: Kind, text: str) -> None:
    """A mistyped value is a fault with a text for the operator, and never silently something else."""
    with pytest.raises(ValueError, match=r"\w"):
        kind.read(text)


def test_an_allowlist_that_is_not_set_is_off() -> None:
    """Nothing set lets every host pass; a set that is merely empty would let none."""
    assert structured.OPTIONAL_HOSTS.read("") is None
    assert structured.OPTIONAL_HOSTS.read("example.com") is not None
    assert structured.HOSTS.read("") is not None


def test_values_are_those_of_the_policy_floor() -> None:
    """What is read is what the rules ask."""
    assert structured.CLIENTS.read("private").admits("10.1.2.3")
    ports = structured.PORTS.read("443,8000-8010")
    assert 8005 in ports
    assert 80 not in ports


def test_plain_http_is_judged_later() -> None:
    """Whether the decision service may be asked without TLS is another variable's matter: both faults are seen."""
    address = structured.GOVERNANCE_URL.read("http://gov.example:8128")
    assert (address.kind, address.authority) == (Address.HTTP, parse_authority("gov.example:8128", None))
    assert structured.GOVERNANCE_URL.read("embedded").kind is Address.EMBEDDED


def test_a_url_is_not_repeated_in_its_fault() -> None:
    """A URL may hold a password: the fault names the variable only."""
    assert structured.GOVERNANCE_URL.quiet
