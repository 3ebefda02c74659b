"""``twistd eve-sidecar``: what is wrong with the settings is said before anything is made."""

from __future__ import annotations

import pytest
from twisted.python import usage

from eve_proxy.tap import Options


def test_every_fault_is_a_usage_error_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who mistyped two variables reads both names, and no traceback."""
    monkeypatch.setenv("JWT_SECRET_KEY", "x" * 40)
    monkeypatch.setenv("EVE_PROXY_PORT", "many")
    monkeypatch.setenv("EVE_PROXY_FAIL_CLOSE", "0")
    with pytest.raises(usage.UsageError, match=r"(?s)nothing was started.*EVE_PROXY_FAIL_CLOSE.*EVE_PROXY_PORT"):
        Options().parseOptions([])


def test_a_good_configuration_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is what the service gets."""
    monkeypatch.setenv("JWT_SECRET_KEY", "x" * 40)
    monkeypatch.setenv("EVE_PROXY_PORT", "1234")
    options = Options()
    options.parseOptions([])
    assert options.config.port == 1234
