"""``twistd eve-governor``: the reference decision point as a service of its own."""

# Twisted is only partly annotated.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from eve_proxy.governor_site import GovernorSite, governor_site
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.policy_file import SHIPPED, PolicyFault, load_policy

TOKEN_VARIABLE = "EVE_GOVERNOR_TOKEN"  # noqa: S105


class Options(usage.Options):
    """Command line of the decision point, read and checked before anything starts.

    :ivar policy: the loaded policy.
    :ivar token: what callers must show, or None.
    """

    synopsis = "[options]"
    longdesc = (
        "The reference decision point: answers POST /v1/decisions/evaluate by one policy file (docs/policy.md)."
        f" Callers must show a token when --token-file or {TOKEN_VARIABLE} gives one."
    )
    optParameters = (
        ("listen", "l", "tcp:8128:interface=127.0.0.1", "Where to listen, a Twisted endpoint: tcp:, unix:, ssl:"),
        ("policy", "p", str(SHIPPED), "The policy file"),
        ("token-file", "t", None, "A file with the token that callers must show"),
    )
    policy: Policy
    token: bytes | None

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._environ = os.environ if environ is None else environ

    def postOptions(self) -> None:
        """Load what the options name.

        :raises usage.UsageError: every fault at once; twistd prints it and ends.
        """
        faults: list[str] = []
        try:
            self.policy = load_policy(self["policy"])
        except PolicyFault as error:
            faults += [f"--policy: {fault}" for fault in error.faults]
        try:
            self.token = _token(self["token-file"], self._environ)
        except ValueError as error:
            faults.append(str(error))
        try:
            # Only to be checked: an endpoint touches its reactor when it listens.
            serverFromString(None, self["listen"])
        except Exception as error:  # noqa: BLE001 (each kind of endpoint raises errors of its own, OpenSSL's included)
            faults.append(f"--listen {self['listen']}: {error}; write for example tcp:8128:interface=127.0.0.1")
        if faults:
            raise usage.UsageError("nothing was started:" + "".join([f"\n  {fault}" for fault in faults]))


def makeService(options: Options) -> IService:
    """The service behind ``twistd eve-governor``."""
    # The composition root: here, and nowhere below, the global reactor is named (law 5).
    from twisted.internet import reactor  # noqa: TID251

    return make_service(options, reactor)


def make_service(options: Options, reactor: Any) -> GovernorService:
    """``makeService`` with the reactor as an argument."""

    def offload(function: Any, *arguments: Any) -> Deferred[tuple[int, bytes]]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    site = governor_site(
        options.policy, reactor=reactor, offload=offload, new_id=secrets.token_hex, token=options.token
    )
    return GovernorService(serverFromString(reactor, options["listen"]), site, options.policy)


class GovernorService(Service):
    """Listens, says where, and stops listening."""

    _log = Logger()

    def __init__(self, endpoint: Any, site: GovernorSite, policy: Policy) -> None:
        self._endpoint = endpoint
        self._site = site
        self._policy = policy
        self._port: Any = None

    def privilegedStartService(self) -> None:
        """Bind while the process may still bind low ports.

        Raises what binding raises: a process that listens nowhere must not look alive.
        """
        failures: list[Failure] = []
        self._endpoint.listen(self._site).addCallbacks(self._listening, failures.append)
        if failures:
            failures[0].raiseException()

    def startService(self) -> None:
        """Bind, unless that is done."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Any:
        """Stop listening; fires when that is done."""
        super().stopService()
        port, self._port = self._port, None
        return None if port is None else port.stopListening()

    def _listening(self, port: Any) -> None:
        self._port = port
        address = port.getHost()
        # Scripts that ask for port 0 read this line.
        self._log.info(
            "eve-governor listens on {where} with policy {policy} sha256 {sha256}",
            where=f"{address.host}:{address.port}" if hasattr(address, "port") else address.name,
            policy=self._policy.name,
            sha256=self._policy.sha256,
        )


def _token(path: str | None, environ: Mapping[str, str]) -> bytes | None:
    if path is None:
        text = environ.get(TOKEN_VARIABLE)
        if text is None:
            return None
        where = TOKEN_VARIABLE
    else:
        where = f"--token-file {path}"
        try:
            with open(path, encoding="ascii") as file:
                text = file.read(4097)
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or "is not ASCII"
            raise ValueError(f"{where}: {said}; give the path of a file that holds the token") from None
    token = text.strip()
    if not 1 <= len(token) <= 4096 or not token.isascii() or not token.isprintable():
        raise ValueError(f"{where}: must hold 1 to 4096 printable ASCII characters")
    return token.encode("ascii")
