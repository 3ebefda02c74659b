"""``twistd eve-sidecar``: read the configuration, find the plugins, build the service: the program top to bottom."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from functools import cache
from typing import IO, Any, cast

from twisted.application.service import IService
from twisted.logger import ILogObserver, textFileLogObserver
from twisted.python import usage

from eve_proxy.composition import configure
from eve_proxy.config import Config
from eve_proxy.interfaces import IPreFilter
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.service import STDOUT, SidecarService
from eve_proxy.system import SystemClock
from eve_proxy.systemd.reports import Reports
from eve_proxy.systemd.sockets import Adopted, adopt, agree
from eve_proxy.systemd.surroundings import Surroundings, take_surroundings
from eve_proxy.transport.lean_reactor import install_unless_chosen
from eve_proxy.transport.line_writer import LineWriter


class Options(usage.Options):
    """Command line of the sidecar. Everything else is in the environment (README, "Configuration")."""

    synopsis = "[options]"
    longdesc = "The governed forward proxy. It is configured by environment variables: see `eve-proxy config`."
    optParameters = (
        ("decision-log", "l", "-", "Where the line of each decision is appended: a file, or - for standard output"),
    )
    config: Config
    surroundings: Surroundings
    adopted: Adopted
    plugins: Sequence[IPreFilter]
    lines: LineWriter | None = None

    def postOptions(self) -> None:
        """Read the configuration.

        :raises usage.UsageError: every fault at once; twistd prints it and ends. (From ``makeService`` it would print
            a traceback.)
        """
        faults: list[str] = []
        try:
            self.surroundings = take_surroundings(os.environ, os.getpid())
            self.adopted = adopt(self.surroundings.passed)
        except ConfigurationError as error:
            faults += error.faults
        try:
            self.config, self.plugins = configure(os.environ)
            if not faults:
                self.config = agree(self.config, self.adopted)
        except ConfigurationError as error:
            faults += error.faults
        if faults:
            listed = "".join([f"\n  {fault}" for fault in faults])
            raise usage.UsageError(f"the configuration has faults; nothing was started:{listed}")
        if self.parent is not None:
            self._log_patiently(self.parent)

    def _log_patiently(self, twistd: Any) -> None:
        if twistd["nodaemon"] and not any(twistd[option] for option in ("logfile", "logger", "syslog")):
            twistd["logger"] = f"{__name__}.{patient_log.__name__}"
            self.lines = stdout_lines()


def patient_log() -> ILogObserver:
    """twistd's log, written beside the reactor: a reader of standard output that stalls must not stop the proxy."""
    return textFileLogObserver(cast("IO[Any]", _Text(stdout_lines())))


@cache
def stdout_lines() -> LineWriter:
    """The one writer of this process to standard output: decisions and twistd's log stay in order."""
    lines = LineWriter(STDOUT, _reactor())
    # Behind the last thing that twistd says, and also when the start failed.
    atexit.register(lines.close)
    return lines


class _Text:
    """What an observer writes to."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        """One event, its lines ended."""
        self._lines.write(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """The writer does."""


def makeService(options: Options) -> IService:
    """The service behind ``twistd eve-sidecar``."""
    return SidecarService(
        options.config,
        options.plugins,
        reactor=_reactor(),
        decision_log=options["decision-log"],
        lines=options.lines,
        adopted=options.adopted,
        reports=Reports(options.surroundings, clock=SystemClock(), timers=_reactor()),
    )


def _reactor() -> Any:
    # The composition root: here, and nowhere below, the global reactor is named (law 5).
    install_unless_chosen()
    from twisted.internet import reactor  # noqa: TID251

    return reactor
