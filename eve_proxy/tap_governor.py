"""``twistd eve-governor``: the reference decision point as a service of its own."""

# Twisted is only partly annotated.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from eve_proxy.governor_site import GovernorSite, governor_site
from eve_proxy.governor_witness import AnswerWitness, Keeping
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.policy_file import SHIPPED, PolicyFault, load_policy
from eve_proxy.signing.private_key import AsymmetricSigner, NotASigningKey, load_signer

TOKEN_VARIABLE = "EVE_GOVERNOR_TOKEN"  # noqa: S105


class Options(usage.Options):
    """Command line of the decision point, read and checked before anything starts.

    :ivar policy: the loaded policy.
    :ivar token: what callers must show, or None.
    :ivar signer: what signs the answers, or None.
    """

    synopsis = "[options]"
    longdesc = (
        "The reference decision point: answers POST /v1/decisions/evaluate by one policy file (docs/policy.md)."
        f" Callers must show a bearer token when --token-file or {TOKEN_VARIABLE} gives one."
    )
    optParameters = (
        ("listen", "l", "tcp:8128:interface=127.0.0.1", "Where to listen, a Twisted endpoint: tcp:, unix:, ssl:"),
        ("policy", "p", str(SHIPPED), "The policy file"),
        ("token-file", "t", None, "A file with the bearer token"),
        ("signing-key", "k", None, "A PEM private key, Ed25519 or P-256, that signs each answer; needs --journal"),
        ("journal", "j", None, "Where each answer is written before it is given; needs --signing-key"),
    )
    policy: Policy
    token: bytes | None
    signer: AsymmetricSigner | None = None

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
            self.signer = _signer(self["signing-key"], self["journal"])
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

    def site(witness: AnswerWitness | None) -> GovernorSite:
        return governor_site(
            options.policy,
            reactor=reactor,
            offload=offload,
            new_id=secrets.token_hex,
            token=options.token,
            witness=witness,
        )

    keeping = None
    if options.signer is not None:
        keeping = Keeping(Path(options["journal"]), options.signer, options.policy, reactor=reactor)
    return GovernorService(serverFromString(reactor, options["listen"]), site, options.policy, keeping)


class GovernorService(Service):
    """Listens, says where, and stops listening.

    :param site: makes the site, with or without a witness.
    :param keeping: opens and closes the journal of one that witnesses.
    """

    _log = Logger()

    def __init__(
        self,
        endpoint: Any,
        site: Callable[[AnswerWitness | None], GovernorSite],
        policy: Policy,
        keeping: Keeping | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._site = site
        self._policy = policy
        self._keeping = keeping
        self._port: Any = None

    def privilegedStartService(self) -> None:
        """Bind while the process may still bind low ports.

        Raises what binding raises: a process that listens nowhere must not look alive.
        """
        failures: list[Failure] = []
        # Before anybody is answered: what cannot be written down may not be said.
        witness = None if self._keeping is None else self._keeping.open()
        self._endpoint.listen(self._site(witness)).addCallbacks(self._listening, failures.append)
        if failures:
            if self._keeping is not None:
                self._keeping.close()
            failures[0].raiseException()

    def startService(self) -> None:
        """Bind, unless that is done."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Any:
        """Stop listening and close the journal; fires when that is done."""
        super().stopService()
        port, self._port = self._port, None
        stopped = succeed(None) if port is None else maybeDeferred(port.stopListening)
        keeping = self._keeping
        return stopped if keeping is None else stopped.addCallback(lambda _: keeping.close())

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


def _signer(key: str | None, journal: str | None) -> AsymmetricSigner | None:
    if key is None and journal is None:
        return None
    if key is None or journal is None:
        raise ValueError("--signing-key and --journal go together: what is signed is also kept")
    try:
        return load_signer(Path(key).read_bytes())
    except OSError as error:
        raise ValueError(f"--signing-key {key}: {error.strerror}") from None
    except NotASigningKey as error:
        raise ValueError(f"--signing-key {key}: {error}") from None


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
