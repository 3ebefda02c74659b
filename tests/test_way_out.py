"""From the configuration to what dials."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trustme
from twisted.internet.testing import MemoryReactorClock

from eve_proxy.config import Config, parse
from eve_proxy.model.authority import parse_authority
from eve_proxy.transport.dialler import Dialler
from eve_proxy.transport.diallers import Diallers
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.way_out import build_way_out, governance_parent, parent_faults, ways

KEY = {"JWT_SECRET_KEY": "a secret of the way out's tests, long enough"}
PROXY = "http://proxy.corp.example:3129"
GOVERNED = {"EVE_PROXY_GOVERNANCE_URL": "https://gov.example", "EVE_PROXY_GOVERNANCE_PROXY": PROXY}


def read(**environ: str) -> Config:
    return parse(KEY | environ)


def built(config: Config) -> Any:
    return build_way_out(config, reactor=MemoryReactorClock(), resolver=None, ends=OwnEnds({3128}))  # type: ignore[arg-type]


def test_without_a_parent_there_is_one_dialler() -> None:
    """The direct path is as it was: nothing stands between it and its permits."""
    config = read()
    assert type(built(config)) is Dialler
    assert ways(config) is None
    assert governance_parent(config, reactor=None, resolver=None, ends=OwnEnds(())) is None  # type: ignore[arg-type]


def test_with_a_parent(tmp_path: Path) -> None:
    """Ways and diallers name the same proxy, and have what the settings say."""
    secret = tmp_path / "credentials"
    secret.write_text("eve:hunter2\n")
    secret.chmod(0o600)
    config = read(
        EVE_PROXY_UPSTREAM_PROXY=PROXY,
        EVE_PROXY_UPSTREAM_PROXY_BY="name",
        EVE_PROXY_UPSTREAM_NO_PROXY="corp.example",
        EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE=str(secret),
    )
    assert type(built(config)) is Diallers
    found = ways(config)
    assert found is not None
    assert (found.name, found.by_name) == ("proxy.corp.example:3129", True)
    assert not found.leaves_name(parse_authority("wiki.corp.example:443", None))


def test_the_governors_own() -> None:
    """It is another proxy than the upstreams', unless the operator names the same."""
    parent = governance_parent(read(**GOVERNED), reactor=MemoryReactorClock(), resolver=None, ends=OwnEnds(()))  # type: ignore[arg-type]
    assert parent is not None
    assert (parent.name, parent.variable) == ("proxy.corp.example:3129", "EVE_PROXY_GOVERNANCE_PROXY")
    assert ways(read(**GOVERNED)) is None


@pytest.mark.parametrize("variable", ["EVE_PROXY_UPSTREAM_PROXY", "EVE_PROXY_GOVERNANCE_PROXY"])
@pytest.mark.parametrize(
    ("url", "host", "own"),
    [
        ("http://127.0.0.1:3128", "0.0.0.0", True),
        ("http://localhost:3128", "0.0.0.0", True),
        ("http://[::1]:15001", "0.0.0.0", True),
        ("http://10.0.0.5:3128", "10.0.0.5", True),
        ("http://10.0.0.6:3128", "10.0.0.5", True),
        ("http://10.0.0.7:3128", "10.0.0.5", False),
        ("http://127.0.0.1:3129", "0.0.0.0", False),
        ("http://proxy.corp.example:3128", "0.0.0.0", False),
    ],
)
def test_a_parent_that_is_this_proxy(variable: str, url: str, host: str, own: bool) -> None:
    """One of our ports on this machine is refused before anything listens; a name is only known when it is dialled."""
    environ = GOVERNED | {variable: url} if variable in GOVERNED else {variable: url}
    config = read(**environ, EVE_PROXY_HOST=host)
    ours = {ip_address("127.0.0.1"), ip_address("::1"), ip_address("10.0.0.6")}
    faults = parent_faults(config, is_own=lambda address: address in ours)
    expected = [f"{variable} leads to this proxy itself; name another host or port"]
    assert [fault for fault in faults if fault.startswith(variable)] == (expected if own else [])


SAID = "it holds no certificate; name a file of certificates in PEM"


def test_roots_that_cannot_be_used(tmp_path: Path) -> None:
    """The fault names the variable of the proxy they belong to."""
    bad, good = tmp_path / "bad.pem", tmp_path / "good.pem"
    bad.write_text("no certificate")
    trustme.CA().cert_pem.write_to_path(str(good))
    environ = {"EVE_PROXY_UPSTREAM_PROXY": "https://p.example:1", "EVE_PROXY_UPSTREAM_CA": str(bad)}
    assert parent_faults(read(**environ)) == [f"EVE_PROXY_UPSTREAM_CA='{bad}': {SAID}"]
    assert parent_faults(read(**environ | {"EVE_PROXY_UPSTREAM_CA": str(good)})) == []
    behind = GOVERNED | {"EVE_PROXY_GOVERNANCE_PROXY": "https://p.example:1", "EVE_PROXY_GOVERNANCE_PROXY_CA": str(bad)}
    assert parent_faults(read(**behind)) == [f"EVE_PROXY_GOVERNANCE_PROXY_CA='{bad}': {SAID}"]
