"""``twistd eve-sidecar``: read the configuration, find the plugins, build the service: the program top to bottom."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.application.service import IService
from twisted.python import usage

from eve_proxy.composition import configure
from eve_proxy.config import Config
from eve_proxy.interfaces import IPreFilter
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.service import SidecarService


class Options(usage.Options):
    """Command line of the sidecar. Everything else is in the environment (README, "Configuration")."""

    synopsis = "[options]"
    longdesc = "The governed forward proxy. It is configured by environment variables: see `eve-proxy config`."
    optParameters = (
        ("decision-log", "l", "-", "Where the line of each decision is appended: a file, or - for standard output"),
    )
    config: Config
    plugins: Sequence[IPreFilter]

    def postOptions(self) -> None:
        """Read the configuration.

        :raises usage.UsageError: every fault at once; twistd prints it and ends. (From ``makeService`` it would print
            a traceback.)
        """
        try:
            self.config, self.plugins = configure(os.environ)
        except ConfigurationError as error:
            faults = "".join([f"\n  {fault}" for fault in error.faults])
            raise usage.UsageError(f"the configuration has faults; nothing was started:{faults}") from error


def makeService(options: Options) -> IService:
    """The service behind ``twistd eve-sidecar``."""
    # The composition root: here, and nowhere below, the global reactor is named (law 5).
    from twisted.internet import reactor  # noqa: TID251

    return SidecarService(options.config, options.plugins, reactor=reactor, decision_log=options["decision-log"])
