"""``twistd eve-sidecar``: read the configuration, find the plugins, build the service: the program top to bottom."""

from __future__ import annotations

import os

from twisted.application.service import IService
from twisted.python import usage

from eve_proxy.composition import configure
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.service import SidecarService


class Options(usage.Options):
    """Command line of the sidecar. Everything else is in the environment (README, "Configuration")."""

    synopsis = "[options]"
    longdesc = "The governed forward proxy. It is configured by environment variables: see `eve-proxy config`."
    optParameters = (
        ("decision-log", "l", "-", "Where the line of each decision is appended: a file, or - for standard output"),
    )


def makeService(options: usage.Options) -> IService:
    """The service behind ``twistd eve-sidecar``.

    :raises usage.UsageError: every fault of the configuration; nothing listens.
    """
    try:
        config, plugins = configure(os.environ)
    except ConfigurationError as error:
        faults = "".join(f"\n  {fault}" for fault in error.faults)
        raise usage.UsageError(f"the configuration has faults; nothing was started:{faults}") from error
    # The composition root: here, and nowhere below, the global reactor is named (law 5).
    from twisted.internet import reactor  # noqa: TID251

    return SidecarService(config, plugins, reactor=reactor, decision_log=options["decision-log"])
