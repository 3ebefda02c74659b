"""The listening socket, and how many descriptors we may open."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable
from ipaddress import ip_address

# Upstream, governor, journal, log, and the reactor's own, beside two descriptors per client connection.
_SPARE = 256


def bind(host: str, port: int, *, variable: str = "EVE_PROXY_HOST and EVE_PROXY_PORT") -> socket.socket:
    """A bound, non-blocking socket that does not listen yet.

    :param host: a literal address; ``::`` takes IPv4 as well.
    :param variable: what to set when it cannot be.
    :raises OSError: it cannot be; the message says where and what to do.
    """
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}); "
            f"stop what listens there, or set {variable}"
        ) from error
    listener.setblocking(False)
    return listener


def bind_redirected(host: str, port: int) -> list[socket.socket]:
    """Bound sockets for redirected connections: a rule in this machine's OUTPUT chain leads to loopback, in its
    PREROUTING chain to the address of the interface.

    :param host: EVE_PROXY_HOST: all addresses, or loopback and this one.
    :raises OSError: as ``bind``.
    """
    wildcard = ip_address(host).is_unspecified
    hosts = ["::" if _has_ipv6() else "0.0.0.0"] if wildcard else ["127.0.0.1", *(["::1"] if _has_ipv6() else [])]  # noqa: S104
    if not wildcard and host not in hosts:
        hosts.append(host)
    bound: list[socket.socket] = []
    try:
        for each in hosts:
            bound.append(bind(each, port, variable="EVE_PROXY_TRANSPARENT_PORT (0: off)"))
    except OSError:
        for listener in bound:
            listener.close()
        raise
    return bound


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def raise_file_limit(connections: int, warn: Callable[..., object]) -> None:
    """Raise the limit on open files to what ``connections`` need, and say so when it does not reach.

    :param warn: a logger's ``warn``.
    """
    wanted = 2 * connections + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reach = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < reach:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reach, hard))
        soft = reach
    if soft != resource.RLIM_INFINITY and soft < wanted:
        warn(
            "{limit} open files are allowed, EVE_PROXY_MAX_CONNECTIONS={connections} needs {wanted}: "
            "raise LimitNOFILE (ulimit -Hn) or lower EVE_PROXY_MAX_CONNECTIONS",
            limit=soft,
            connections=connections,
            wanted=wanted,
        )
