"""Sockets that were opened for us, on fakes: which are taken, and what is said of the others."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any
from unittest import mock

import pytest

from eve_proxy.config import Config, parse
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.systemd.sockets import Adopted, _from_descriptor, adopt, agree
from eve_proxy.systemd.surroundings import Passed

SECRET = {"JWT_SECRET_KEY": "a secret of the tests of passed sockets"}


def listener(host: str = "127.0.0.1", port: int = 3128, *, accepts: int = 1, **attributes: Any) -> Any:
    made = mock.Mock(family=socket.AF_INET6 if ":" in host else socket.AF_INET, type=socket.SOCK_STREAM, proto=6)
    made.getsockname.return_value = (host, port, 0, 0) if ":" in host else (host, port)
    made.getsockopt.side_effect = lambda *option: {(socket.SOL_SOCKET, socket.SO_ACCEPTCONN): accepts}[option]
    made.configure_mock(**attributes)
    return made


def taken(*named: tuple[str, Any]) -> Adopted:
    sockets = {3 + place: each for place, (_, each) in enumerate(named)}

    def open_socket(descriptor: int) -> Any:
        found = sockets[descriptor]
        if isinstance(found, OSError):
            raise found
        return found

    return adopt([Passed(descriptor=3 + place, name=name) for place, (name, _) in enumerate(named)], open_socket)


def faults_of(*named: tuple[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        taken(*named)
    return caught.value.faults


def config(**variables: str) -> Config:
    return parse(SECRET | variables)


def test_names_tell_them_apart() -> None:
    """The order in which systemd passes them does not matter; none of them can hold up the reactor."""
    proxy, four, six = listener(), listener(port=15001), listener("::1", 15001)
    assert taken(("transparent", four), ("proxy", proxy), ("transparent", six)) == Adopted(
        proxy=proxy, transparent=(four, six)
    )
    for each in (proxy, four, six):
        each.setblocking.assert_called_once_with(False)
    assert taken() == Adopted()


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (OSError(errno.EBADF, os.strerror(errno.EBADF)), "Bad file descriptor"),
        (OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK)), "not a socket"),
        (listener(family=socket.AF_UNIX), "not a TCP socket"),
        (listener(type=socket.SOCK_DGRAM), "not a TCP socket"),
        (listener(proto=132), "not a TCP socket"),
        (listener(accepts=0), "Accept=no"),
    ],
)
def test_what_is_not_a_listening_tcp_socket(passed: Any, said: str) -> None:
    """The descriptor, its name and what to write are said."""
    (fault,) = faults_of(("proxy", passed))
    assert fault.startswith("LISTEN_FDS: descriptor 3 (proxy) ")
    assert said in fault


def test_every_fault_at_once_and_nothing_stays_open() -> None:
    """One mending of the unit is enough; the good socket is not kept."""
    good = listener()
    faults = faults_of(("proxy", good), ("metrix", listener()), ("transparent", listener(accepts=0)))
    assert len(faults) == 2
    assert "'metrix'" in faults[0]
    assert "proxy or transparent" in faults[0]
    assert "descriptor 5 (transparent)" in faults[1]
    good.close.assert_called_once_with()


def test_one_proxy() -> None:
    """EVE_PROXY_HOST is one address, and so is its socket."""
    (fault,) = faults_of(("proxy", listener()), ("proxy", listener("::1")))
    assert "BindIPv6Only=both" in fault


def test_the_configuration_follows_the_sockets() -> None:
    """What is not set is where the sockets are: the judge of destinations must know our own listeners."""
    adopted = Adopted(proxy=listener("::1", 8080), transparent=(listener(port=15002), listener("::1", 15002)))
    agreed = agree(config(), adopted)
    assert (agreed.host, agreed.port, agreed.transparent_port) == ("::1", 8080, 15002)
    before = config()
    assert agree(before, Adopted()) is before
    assert agree(before, Adopted(transparent=(listener(port=15001),))).host == before.host


@pytest.mark.parametrize(
    "variables",
    [
        {"EVE_PROXY_HOST": "127.0.0.1", "EVE_PROXY_PORT": "3128", "EVE_PROXY_TRANSPARENT_PORT": "15001"},
        {"EVE_PROXY_PORT": "0"},
    ],
)
def test_what_is_set_and_true(variables: dict[str, str]) -> None:
    """The same address twice is no contradiction; port 0 is any."""
    agreed = agree(config(**variables), Adopted(proxy=listener(), transparent=(listener(port=15001),)))
    assert (agreed.host, agreed.port) == ("127.0.0.1", 3128)


@pytest.mark.parametrize(
    ("variable", "value", "host"),
    [
        ("EVE_PROXY_HOST", "0.0.0.0", "127.0.0.1"),
        ("EVE_PROXY_HOST", "127.0.0.1", "0.0.0.0"),
        ("EVE_PROXY_HOST", "127.0.0.1", "::1"),
        ("EVE_PROXY_PORT", "3129", "127.0.0.1"),
        ("EVE_PROXY_TRANSPARENT_PORT", "0", "127.0.0.1"),
        ("EVE_PROXY_TRANSPARENT_PORT", "15002", "127.0.0.1"),
    ],
)
def test_what_is_set_and_contradicted(variable: str, value: str, host: str) -> None:
    """Who wrote that it listens on loopback does not find it listening to the world, or the other way round."""
    adopted = Adopted(proxy=listener(host), transparent=(listener(port=15001),))
    with pytest.raises(ConfigurationError) as caught:
        agree(config(**{variable: value}), adopted)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{variable}={value}, but the socket that was passed listens on ")
    assert "ListenStream=" in fault


def test_one_port_for_what_is_redirected() -> None:
    """The rules lead to one."""
    adopted = Adopted(transparent=(listener(port=15001), listener(port=15002)))
    with pytest.raises(ConfigurationError, match="different ports"):
        agree(config(), adopted)


def test_no_child_of_ours_gets_them() -> None:
    """systemd passes descriptors that survive an exec; a program that we start must not inherit a listener."""
    with socket.socket(socket.AF_UNIX) as given:
        descriptor = os.dup(given.fileno())
        os.set_inheritable(descriptor, True)
        with _from_descriptor(descriptor) as opened:
            assert opened.fileno() == descriptor
            assert not os.get_inheritable(descriptor)
