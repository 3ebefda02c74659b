"""``twistd eve-sidecar``: what is wrong with the settings is said before anything is made."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from twisted.python import usage

from eve_proxy import tap
from eve_proxy.systemd.sockets import Adopted
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


def test_faults_of_passed_sockets_stand_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that were meant for another process and a mistyped variable are one message; no child sees the former."""
    monkeypatch.setenv("JWT_SECRET_KEY", "x" * 40)
    monkeypatch.setenv("EVE_PROXY_PORT", "many")
    for name, value in (("LISTEN_FDS", "1"), ("LISTEN_PID", "1"), ("LISTEN_FDNAMES", "proxy")):
        monkeypatch.setenv(name, value)
    with pytest.raises(usage.UsageError, match=r"(?s)nothing was started.*LISTEN_PID.*EVE_PROXY_PORT"):
        Options().parseOptions([])
    assert not [name for name in os.environ if name.startswith("LISTEN_")]


def test_a_socket_that_contradicts_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the start; without the variable, the socket's address is what we listen on."""
    monkeypatch.setenv("JWT_SECRET_KEY", "x" * 40)
    monkeypatch.setenv("EVE_PROXY_PORT", "1234")
    passed = mock.Mock()
    passed.getsockname.return_value = ("127.0.0.1", 8080)
    monkeypatch.setattr(tap, "adopt", lambda _: Adopted(proxy=passed))
    with pytest.raises(usage.UsageError, match="EVE_PROXY_PORT=1234"):
        Options().parseOptions([])
    monkeypatch.delenv("EVE_PROXY_PORT")
    options = Options()
    options.parseOptions([])
    assert (options.config.host, options.config.port) == ("127.0.0.1", 8080)
