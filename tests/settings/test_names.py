"""Which names are ours, which are Kubernetes', which are typos."""

from __future__ import annotations

import pytest

from eve_proxy.settings.names import sort_names
from eve_proxy.settings.variables import BY_NAME


def test_other_peoples_names_are_not_looked_at() -> None:
    """PATH and an EVE variable of something else are none of our business."""
    names = sort_names({"PATH": "/bin", "EVE_ONLINE": "1", "EVE_PROXY_PORT": "1"}, BY_NAME)
    assert dict(names.ours) == {"EVE_PROXY_PORT": "1"}
    assert names.faults == names.warnings == ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("EVE_PROXY_FAIL_CLOSE", "did you mean EVE_PROXY_FAIL_CLOSED?"),
        ("EVE_PROXY_FAILCLOSED", "did you mean EVE_PROXY_FAIL_CLOSED?"),
        ("EVE_PROXYFAIL_CLOSED", "did you mean EVE_PROXY_FAIL_CLOSED?"),
        ("eve_proxy_fail_closed", "did you mean EVE_PROXY_FAIL_CLOSED?"),
        ("EVE_PROXY_BLOCKED_HOST", "did you mean EVE_PROXY_BLOCKED_HOSTS?"),
        *(
            (f"EVE_PROXY_{of}_PROXY_{what}", f"name it in EVE_PROXY_{of}_PROXY_CREDENTIALS_FILE")
            for of in ("UPSTREAM", "GOVERNANCE")
            for what in ("PASSWORD", "USER", "USERNAME", "AUTH", "CREDENTIALS", "CREDENTIAL_FILE")
        ),
        ("EVE_PROXY_UPSTREAM_PROXI", "did you mean EVE_PROXY_UPSTREAM_PROXY?"),
        ("EVE_PROXY_ZZZZZZZZZZZZZZZZ", "eve-proxy config --list"),
        ("EVE_PROXY_ADMIN_SERVICE_HOST", "enableServiceLinks: false"),
        ("EVE_PROXY_ADMIN_PORT_80_TCP", "enableServiceLinks: false"),
    ],
)
def test_unknown_names_are_faults_with_a_hint(name: str, hint: str) -> None:
    """A typo stops the start and is told what was probably meant."""
    names = sort_names({name: "0"}, BY_NAME)
    assert len(names.faults) == 1
    assert names.faults[0].startswith(name)
    assert hint in names.faults[0]


def test_a_port_that_is_no_service_link_is_ours() -> None:
    """Only the URL form of EVE_PROXY_PORT is Kubernetes'; a wrong port stays a fault of the operator."""
    assert sort_names({"EVE_PROXY_PORT": "http://x"}, BY_NAME).ours == {"EVE_PROXY_PORT": "http://x"}
    assert sort_names({"EVE_PROXY_PORT": "udp://10.0.0.1:1"}, BY_NAME).ours == {}


def test_a_name_with_control_characters_is_printed_safely() -> None:
    """Nothing that stands in the environment reaches the terminal as a control sequence."""
    assert "\x1b" not in sort_names({"EVE_PROXY_\x1b[2J": ""}, BY_NAME).faults[0]
