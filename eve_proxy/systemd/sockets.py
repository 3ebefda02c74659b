"""Sockets that a service manager opened for us (sd_listen_fds(3)): which one is which, and whether each can be it.

All that is doubtful ends the start: a descriptor that is not what its name says would be a listener that nobody wanted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from eve_proxy.config import Config
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.model.text import clean
from eve_proxy.systemd.surroundings import Passed

# FileDescriptorName= of the socket units.
PROXY: Final = "proxy"
TRANSPARENT: Final = "transparent"
NAMES: Final = (PROXY, TRANSPARENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """Listening, non-blocking sockets, to be closed by whoever takes them.

    :ivar proxy: stands for EVE_PROXY_HOST and EVE_PROXY_PORT; None: to be bound.
    :ivar transparent: stand for EVE_PROXY_TRANSPARENT_PORT; none: to be bound.
    """

    proxy: socket.socket | None = None
    transparent: tuple[socket.socket, ...] = ()


def _from_descriptor(descriptor: int) -> socket.socket:
    opened = socket.socket(fileno=descriptor)
    # The manager passes descriptors that survive an exec; no child of ours is to have them.
    os.set_inheritable(descriptor, False)
    return opened


def adopt(passed: Sequence[Passed], open_socket: Callable[[int], socket.socket] = _from_descriptor) -> Adopted:
    """Take the descriptors over.

    :raises ConfigurationError: every one that is not a listening TCP socket, or whose name says nothing to us.
    """
    faults: list[str] = []
    taken: dict[str, list[socket.socket]] = {name: [] for name in NAMES}
    for each in passed:
        if each.name not in taken:
            faults.append(
                f"LISTEN_FDNAMES: there is no use for a socket called {clean(each.name, 80)!r};"
                f" FileDescriptorName= must be {' or '.join(NAMES)}"
            )
            continue
        try:
            opened = open_socket(each.descriptor)
        except OSError as error:
            faults.append(f"{_named(each)} is not a socket ({error.strerror or error}); check the socket unit")
            continue
        wrong = _unfit(opened)
        if wrong is not None:
            faults.append(f"{_named(each)} {wrong}")
        opened.setblocking(False)
        taken[each.name].append(opened)
    if len(taken[PROXY]) > 1:
        faults.append(
            "LISTEN_FDNAMES: several sockets are called 'proxy', one is needed; for IPv4 and IPv6 write"
            " ListenStream=[::]:PORT with BindIPv6Only=both"
        )
    if faults:
        for opened in [each for sockets in taken.values() for each in sockets]:
            opened.close()
        raise ConfigurationError(tuple(sorted(faults)))
    return Adopted(proxy=next(iter(taken[PROXY]), None), transparent=tuple(taken[TRANSPARENT]))


def _unfit(opened: socket.socket) -> str | None:
    if opened.family not in (socket.AF_INET, socket.AF_INET6):
        return "is not a TCP socket; write ListenStream= with an address and a port"
    if opened.type != socket.SOCK_STREAM or opened.proto not in (0, socket.IPPROTO_TCP):
        return "is not a TCP socket; write ListenStream=, and no SocketProtocol="
    if not opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen; write Accept=no"
    return None


def agree(config: Config, adopted: Adopted) -> Config:
    """The configuration with the addresses of the adopted sockets in it: our own listeners must be known as they are.

    A variable that is not set follows its socket. One that is set is a statement; a socket elsewhere contradicts it.

    :raises ConfigurationError: every contradiction.
    """
    written = {entry.name for entry in config.entries if entry.source != "default"}
    faults: list[str] = []
    changes: dict[str, object] = {}
    if adopted.proxy is not None:
        host, port = adopted.proxy.getsockname()[:2]
        if "EVE_PROXY_HOST" in written and ip_address(config.host) != ip_address(host):
            faults.append(_contradiction("EVE_PROXY_HOST", config.host, host, port))
        if "EVE_PROXY_PORT" in written and config.port not in (0, port):
            faults.append(_contradiction("EVE_PROXY_PORT", config.port, host, port))
        changes |= {"host": host, "port": port}
    if adopted.transparent:
        places = [each.getsockname()[:2] for each in adopted.transparent]
        host, port = places[0]
        if len({each[1] for each in places}) > 1:
            faults.append("the sockets called 'transparent' have different ports; the rules lead to one: use one")
        elif "EVE_PROXY_TRANSPARENT_PORT" in written and config.transparent_port != port:
            faults.append(_contradiction("EVE_PROXY_TRANSPARENT_PORT", config.transparent_port, host, port))
        changes["transparent_port"] = port
    if faults:
        raise ConfigurationError(tuple(sorted(faults)))
    return replace(config, **changes) if changes else config  # type: ignore[arg-type]


def _contradiction(variable: str, value: object, host: str, port: int) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{variable}={value}, but the socket that was passed listens on {where}: unset it, or change ListenStream="


def _named(passed: Passed) -> str:
    return f"LISTEN_FDS: descriptor {passed.descriptor} ({passed.name})"
