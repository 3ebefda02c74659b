"""What this process could do to the rules and to the proxy, and what bounds it: rights, users, open files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eve_proxy.doctor.finding import Finding, fail, ok, skip, warn
from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.machine import Machine

# linux/capability.h
_NET_ADMIN: Final = 1 << 12
_NET_RAW: Final = 1 << 13
# As transport/listening.py: two descriptors for a connection, and some to spare.
_SPARE: Final = 256
_FEW: Final = 1000
_LIMIT: Final = "EVE_PROXY_MAX_CONNECTIONS"
_DROP: Final = (
    "run the doctor as the application's user; give the application no such right "
    "(securityContext.capabilities.drop: [ALL]; docker: --cap-drop ALL; systemd: CapabilityBoundingSet=)"
)


def privileges(machine: Machine) -> Finding:
    """Whether this process can remove the rules of its namespace, or send around them."""
    check, held = "privileges", machine.capabilities
    if held is None:
        return skip(check, "the rights of this process cannot be read here")
    names = [name for name, bit in (("NET_ADMIN", _NET_ADMIN), ("NET_RAW", _NET_RAW)) if held & bit]
    if "NET_ADMIN" in names:
        return fail(check, f"{' and '.join(names)}: this process can remove the rules of its network namespace", _DROP)
    if names:
        return fail(check, "NET_RAW: this process can send packets that no rule of its namespace sees", _DROP)
    return ok(check, "neither NET_ADMIN nor NET_RAW")


def same_user(tools: Instruments, machine: Machine) -> Finding:
    """Whether this process runs as the user that the rules exempt."""
    check, listener = "same-user", _listener(tools, machine)
    if listener is None:
        return skip(check, "which user the proxy runs as cannot be told: it does not listen in this network namespace")
    if listener == machine.uid:
        return fail(
            check,
            f"this process and the proxy run as one user ({machine.uid}): rules exempt both",
            "run the application, and the doctor, as another user than the proxy",
        )
    return ok(check, f"the proxy runs as user {listener}, this process as {machine.uid}")


def file_limit(machine: Machine) -> Finding:
    """How many files this process may have open."""
    check, limit = "file-limit", machine.open_files
    if limit is not None and limit < _SPARE:
        return warn(check, f"{limit} open files for this process", "raise it: ulimit -n, LimitNOFILE, --ulimit nofile")
    return ok(check, f"{'no limit on' if limit is None else limit} open files for this process")


def daemons_file_limit(tools: Instruments, machine: Machine, environ: Mapping[str, str]) -> Finding:
    """How many files the proxy may have open, where it runs on this machine."""
    check, listener = "daemon-file-limit", _listener(tools, machine)
    openings = [record["record"] for record in tools.proxy.recorded() or () if record["kind"] == "session_open"]
    pid = openings[-1].get("pid") if openings and openings[-1] else None
    limit = None
    if listener is not None and type(pid) is int:
        limit = machine.daemons_open_files(pid, listener)
    if limit is None:
        return skip(check, "the proxy's process cannot be seen from here")
    wanted = environ.get(_LIMIT, "")
    connections = int(wanted) if wanted.isdecimal() else _FEW
    said = f"{limit} open files for the proxy: {max(0, limit - _SPARE) // 2} connections"
    if limit < 2 * connections + _SPARE:
        return warn(
            check, f"{said}, and {connections} are wanted", f"raise LimitNOFILE (ulimit -Hn), or lower {_LIMIT}"
        )
    return ok(check, said)


def _listener(tools: Instruments, machine: Machine) -> int | None:
    """The user that listens at the proxy's port, where that is this machine's."""
    where = tools.plan.proxy
    local = where.host == "localhost" or (where.address is not None and where.address.is_loopback)
    return machine.listeners.get(where.port) if local else None
