"""The composition root of ``eve_proxy.fail_closed``: from the environment to the parts of enforced calls. No Twisted.

Made at the first enforced call of a process, once (law 6), and again in a forked child: threads, connections and the
journal are the parent's. Faults of the environment raise ConfigurationError at that call, and at each later one until
they are repaired.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import secrets
import sys
import threading
from collections.abc import Callable, Mapping

from eve_proxy.audit.process_journal import ProcessJournal
from eve_proxy.config import Config, parse
from eve_proxy.enforcement.library.parts import Parts
from eve_proxy.enforcement.library.ports import in_place
from eve_proxy.governance.address import Kind
from eve_proxy.governance.blocking import BlockingGovernor
from eve_proxy.governance.blocking_http import BlockingHttp, load_client_context
from eve_proxy.governance.blocking_parent import BlockingParent, load_parent_context
from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.credential import AuthStyle, Credential
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.redaction import Redactor
from eve_proxy.governance.witness import Witnesses
from eve_proxy.interfaces import IClock, IGovernor
from eve_proxy.model.errors import ConfigurationError, JournalUnavailable, SigningFailed
from eve_proxy.pdp.embedded import EmbeddedGovernor
from eve_proxy.policy.prefilters import BodyLimit
from eve_proxy.system import SystemClock, SystemEntropy

_log = logging.getLogger("eve_proxy")


class Library:
    """The parts of one process, and how they end.

    :param environ: read here and never again.
    :raises ConfigurationError: every fault at once.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        config = parse(environ)
        for warning in config.warnings:
            _log.warning("%s", warning)
        clock, entropy = SystemClock(), SystemEntropy()
        self.journal = ProcessJournal(
            config.audit_log,
            signer=config.signer,
            org_id=config.org_id,
            clock=clock,
            entropy=entropy,
            sync=config.audit_sync,
            timeout=config.audit_timeout,
            rotate_bytes=config.audit_rotate_bytes,
        )
        governor, self._http = _governor(config, clock, self.journal)
        self.parts = Parts(
            governor=governor,
            journal=self.journal,
            clock=clock,
            entropy=entropy,
            org_id=config.org_id,
            max_body=config.max_body,
            body_filters=(BodyLimit(most=config.max_body),),
            fail_open=not config.fail_closed,
        )
        try:
            self.journal.open()
        except (JournalUnavailable, SigningFailed) as error:
            # Each call tries again, and is refused with a certificate until it works.
            _log.error("%s; no enforced function runs until it can be", error)

    def close(self) -> None:
        """The process ends well: ``session_close``. May be called again."""
        self.journal.close()
        if self._http is not None:
            self._http.close()

    def forget(self) -> None:
        """In a forked child."""
        self.journal.forget()
        if self._http is not None:
            self._http.forget()


class Process:
    """The one library of this process. The module's ``PROCESS`` is it; fork and exit are its business.

    :param environ: asked once.
    """

    def __init__(self, environ: Callable[[], Mapping[str, str]]) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._registered = 0  # for which process

    def ready(self) -> Parts | None:
        """See ``Provider``."""
        return None if self._library is None else self._library.parts

    def parts(self) -> Parts:
        """See ``Provider``.

        :raises ConfigurationError: every fault of the environment.
        """
        library = self._library
        if library is None:
            with self._lock:
                if self._library is None:
                    self._library = Library(self._environ())
                    self._close_at_exit()
                library = self._library
        return library.parts

    def close(self) -> None:
        """End the journal with its ``session_close``; calls under way are refused, the next one begins anew."""
        with self._lock:
            library, self._library = self._library, None
        if library is not None:
            library.close()

    def forked(self) -> None:
        """In a forked child: what there is belongs to the parent, and a lock may be held by a thread of it."""
        self._lock = threading.Lock()
        library, self._library = self._library, None
        if library is not None:
            library.forget()

    def _close_at_exit(self) -> None:
        if self._registered == os.getpid():
            return
        self._registered = os.getpid()
        atexit.register(self._ended)
        # Children of multiprocessing end without atexit before Python 3.13, but run these.
        process, util = map(sys.modules.get, ("multiprocessing.process", "multiprocessing.util"))
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, self._ended, exitpriority=0)

    def _ended(self) -> None:
        # Not forgotten, as by ``close``: who calls after this is refused, and opens no journal that nobody would end.
        if self._library is not None:
            self._library.close()


def _governor(
    config: Config, clock: IClock, journal: ProcessJournal
) -> tuple[Callable[[float], IGovernor], BlockingHttp | None]:
    """The governor that EVE_PROXY_GOVERNANCE_URL names, and the connections it asks over (None when embedded)."""
    address = config.governance
    if address.kind is Kind.EMBEDDED:
        assert config.policy is not None
        embedded = EmbeddedGovernor(config.policy, offload=in_place)
        return (lambda _seconds: embedded), None
    tls = None
    if address.kind is Kind.HTTPS:
        try:
            tls = load_client_context(ca=config.governance_ca, cert=config.governance_cert, key=config.governance_key)
        except ValueError as error:
            raise ConfigurationError((str(error),)) from error
    http = BlockingHttp(address, clock=clock, tls=tls, parent=_parent(config))
    token = config.governance_token
    service = DecisionService(
        name=address.name,
        policy_set=config.policy_set,
        redactor=Redactor(secrets.token_bytes(32), config.governance_redact_headers, config.governance_redact_query),
        clock=clock,
        chain_head=lambda: journal.durable_head,
        witnesses=Witnesses(config.governance_keys),
        credential=None
        if token is None
        else Credential.of(AuthStyle(config.governance_auth), token.reveal().decode("ascii")),
        path=address.path,
        allow_modify=False,  # a function's arguments are never rewritten, whatever is configured
    )
    hosted = BlockingGovernor(
        http,
        service,
        breaker=Breaker(config.governance_breaker, clock.monotonic, random.random),
        concurrency=config.governance_concurrency,
    )
    return hosted.within, http


def _parent(config: Config) -> BlockingParent | None:
    """EVE_PROXY_GOVERNANCE_PROXY."""
    address, credentials = config.governance_proxy, config.governance_proxy_credentials
    if address is None:
        return None
    try:
        tls = load_parent_context(config.governance_proxy_ca) if address.secure else None
    except ValueError as error:
        raise ConfigurationError((str(error),)) from error
    return BlockingParent(address, tls=tls, authorization=None if credentials is None else credentials.reveal())


PROCESS = Process(lambda: os.environ)
os.register_at_fork(after_in_child=PROCESS.forked)
