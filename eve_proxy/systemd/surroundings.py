"""The variables that a service manager sets for the process that it starts, read once."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

from eve_proxy.model.errors import ConfigurationError
from eve_proxy.model.text import clean

# SD_LISTEN_FDS_START of sd_listen_fds(3).
FIRST_DESCRIPTOR: Final = 3
VARIABLES: Final = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A descriptor that this process was started with.

    :ivar name: FileDescriptorName= of the socket unit.
    """

    descriptor: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the service manager said; nothing, where there is none.

    :ivar notify: where it wants to be told: a path, or ``@`` and a name of the abstract namespace.
    :ivar watchdog: seconds within which it wants to hear again that we are alive.
    """

    notify: str | None = None
    watchdog: float | None = None
    passed: tuple[Passed, ...] = ()


def take_surroundings(environ: MutableMapping[str, str], pid: int) -> Surroundings:
    """Read the variables and take them out of ``environ``: a child that found them would believe that it is meant.

    :param pid: of this process.
    :raises ConfigurationError: every fault.
    """
    said = {name: environ.pop(name) for name in VARIABLES if name in environ}
    faults: list[str] = []
    surroundings = Surroundings(
        notify=_notify(said, faults), watchdog=_watchdog(said, pid, faults), passed=_passed(said, pid, faults)
    )
    if faults:
        raise ConfigurationError(tuple(faults))
    return surroundings


def _notify(said: Mapping[str, str], faults: list[str]) -> str | None:
    where = said.get("NOTIFY_SOCKET")
    if not where:
        return None
    if where[0] not in "/@" or len(where) < 2:
        faults.append(f"NOTIFY_SOCKET={_shown(where)}: only an absolute path or @name can be told anything; unset it")
    return where


def _watchdog(said: Mapping[str, str], pid: int, faults: list[str]) -> float | None:
    text = said.get("WATCHDOG_USEC")
    # sd_watchdog_enabled(3): set for another process, it is none of our business.
    if text is None or said.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    period = _number(text)
    if not period:
        faults.append(f"WATCHDOG_USEC={_shown(text)}: must be a number of microseconds above 0; unset it")
        return None
    return period / 1e6


def _passed(said: Mapping[str, str], pid: int, faults: list[str]) -> tuple[Passed, ...]:
    text = said.get("LISTEN_FDS")
    if text is None:
        return ()
    count = _number(text)
    if count is None:
        faults.append(f"LISTEN_FDS={_shown(text)}: must be a number of sockets; unset it")
        return ()
    if count == 0:
        return ()
    owner = said.get("LISTEN_PID")
    if owner != str(pid):
        # sd_listen_fds(3) ignores them. Then we would listen on a socket of our own, and somebody believes otherwise.
        faults.append(
            f"LISTEN_FDS={count} with LISTEN_PID={_shown(owner or '')}, but this process is {pid}: the sockets were"
            " meant for another one; let the service manager start twistd itself (a shell: with exec), or unset both"
        )
        return ()
    names = said.get("LISTEN_FDNAMES", "").split(":")
    if len(names) != count or not all(names):
        faults.append(
            f"LISTEN_FDS={count} with LISTEN_FDNAMES={_shown(said.get('LISTEN_FDNAMES', ''))}: each socket needs"
            " a name; set FileDescriptorName= in its unit"
        )
        return ()
    return tuple([Passed(descriptor=FIRST_DESCRIPTOR + place, name=name) for place, name in enumerate(names)])


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _shown(text: str) -> str:
    return repr(clean(text, 80))
