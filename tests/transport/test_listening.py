"""How the daemon gets its socket and its descriptors, with the system's calls replaced."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any
from unittest import mock

import pytest

from eve_proxy.transport.listening import bind, raise_file_limit


def bound(host: str, **behaviour: Any) -> tuple[Any, Any]:
    """What ``bind`` gave, and how it made its socket."""
    with mock.patch.object(socket, "socket") as make:
        make.return_value.bind.configure_mock(**behaviour)
        return bind(host, 3128), make.call_args


@pytest.mark.parametrize(
    ("host", "family", "only"),
    [
        ("0.0.0.0", socket.AF_INET, None),
        ("127.0.0.1", socket.AF_INET, None),
        ("::", socket.AF_INET6, False),
        ("::1", socket.AF_INET6, True),
    ],
)
def test_the_family_follows_the_address(host: str, family: int, only: bool | None) -> None:
    """``::`` takes IPv4 clients as well; every other address is what it says. Nobody can connect yet."""
    listener, call = bound(host)
    assert call == mock.call(family, socket.SOCK_STREAM)
    listener.bind.assert_called_once_with((host, 3128))
    switch = mock.call(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    assert (switch in listener.setsockopt.mock_calls) is (only is not None)
    listener.setblocking.assert_called_once_with(False)
    listener.listen.assert_not_called()


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL])
def test_an_address_that_cannot_be_had(number: int) -> None:
    """The message says where, why, and which variables to set."""
    with pytest.raises(OSError, match=r"127\.0\.0\.1:3128 cannot be listened on") as caught:
        bound("127.0.0.1", side_effect=OSError(number, os.strerror(number)))
    assert os.strerror(number) in str(caught.value)
    assert "set EVE_PROXY_HOST and EVE_PROXY_PORT" in str(caught.value)


class Rlimit:
    """The limit on open files of a process, as ``resource`` shows it."""

    def __init__(self, soft: int, hard: int) -> None:
        self.soft, self.hard = soft, hard
        self.warnings: list[str] = []

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return self.soft, self.hard

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        assert limits[1] == self.hard
        self.soft = limits[0]

    def warn(self, template: str, **values: Any) -> None:
        self.warnings.append(template.format(**values))

    def raised(self, connections: int) -> int:
        """The soft limit after the daemon asked for what ``connections`` need."""
        with mock.patch.multiple(resource, getrlimit=self.getrlimit, setrlimit=self.setrlimit):
            raise_file_limit(connections, self.warn)
        return self.soft


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "after"),
    [
        (1024, 1 << 20, 10_000, 20_256),  # two for each connection, and a few for everything else
        (1024, resource.RLIM_INFINITY, 10_000, 20_256),
        (50_000, 1 << 20, 10_000, 50_000),  # never lowered
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 10_000, resource.RLIM_INFINITY),
    ],
)
def test_a_limit_that_can_be_raised(soft: int, hard: int, connections: int, after: int) -> None:
    """The daemon takes the descriptors its bounds need, and says nothing."""
    limit = Rlimit(soft, hard)
    assert limit.raised(connections) == after
    assert limit.warnings == []


def test_a_limit_that_does_not_reach() -> None:
    """It takes what there is and tells the operator both ways out."""
    limit = Rlimit(1024, 4096)
    assert limit.raised(10_000) == 4096
    (said,) = limit.warnings
    assert said.startswith("4096 open files are allowed, EVE_PROXY_MAX_CONNECTIONS=10000 needs 20256")
    assert "LimitNOFILE" in said
    assert "lower EVE_PROXY_MAX_CONNECTIONS" in said
