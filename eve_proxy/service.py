"""The daemon's life: open the journal, listen, decide, drain, close (issue order of start and stop is the point).

Start: bind, open the logs, then the journal, then listen: whatever fails, nobody was served. Stop: what is in flight
finishes within ``GRACE``, and while it does new connections are accepted for their health probes and refused anything
else; then nobody is accepted, and the journal gets its ``session_close``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from socket import SO_ACCEPTCONN, SOL_SOCKET, socket
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from eve_proxy.audit.committer import Committer
from eve_proxy.audit.journal import Journal
from eve_proxy.audit.memory import Memory
from eve_proxy.audit.opening import open_journal
from eve_proxy.audit.suppression import Suppressor
from eve_proxy.composition import Parts, compose, off_reactor
from eve_proxy.config import Config
from eve_proxy.counting import SETTLE_SECONDS
from eve_proxy.governance.deadline import timeoutDeferred
from eve_proxy.interfaces import IPreFilter
from eve_proxy.metrics.port import MetricsPort
from eve_proxy.metrics.reading import settle
from eve_proxy.model.errors import DeadlineExceeded, EveError, JournalUnavailable
from eve_proxy.session import Session
from eve_proxy.settings.fingerprint import Fingerprint
from eve_proxy.system import SystemClock, SystemEntropy
from eve_proxy.systemd.reports import Reports
from eve_proxy.systemd.sockets import Adopted
from eve_proxy.systemd.surroundings import Surroundings
from eve_proxy.transport.line_writer import LineWriter
from eve_proxy.transport.listening import bind, bind_redirected, raise_file_limit

# Seconds that exchanges in flight may take to finish after SIGTERM; Kubernetes kills after 30.
GRACE = 20.0
# Seconds that a connection which was reset may take to be gone.
RESET_WITHIN = 1.0
BACKLOG = 1024
# Not sys.stdout: twistd replaces that by its own log.
STDOUT = 1
NOTHING_ADOPTED = Adopted()


class SidecarService(Service):
    """``twistd eve-sidecar``.

    :param plugins: the pre-filters that were discovered.
    :param decision_log: a path, or ``-`` for standard output.
    :param lines: writes to standard output already, and is closed by its owner; None makes one.
    :param adopted: sockets that were opened for us; ``config`` says where they are.
    :param reports: what the service manager is told; None: nobody asks.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        plugins: Sequence[IPreFilter],
        *,
        reactor: Any,
        decision_log: str = "-",
        lines: LineWriter | None = None,
        adopted: Adopted = NOTHING_ADOPTED,
        reports: Reports | None = None,
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._reactor = reactor
        self._decision_log = decision_log
        self._committer = Committer(reactor.callFromThread)
        self._journal: Journal | None = None
        self._parts: Parts | None = None
        self._ports: list[Any] = []
        self._shared = lines
        self._adopted = adopted
        self._reports = reports or Reports(Surroundings(), clock=SystemClock(), timers=reactor)
        self._lines: LineWriter | None = None
        self._descriptor: int | None = None
        self._session: Session | None = None
        self._metrics: MetricsPort | None = None
        self._metrics_port: Any = None
        self._settling: LoopingCall | None = None

    def startService(self) -> None:
        """Open the journal and listen.

        :raises SystemExit: it cannot; the message says what to do.
        """
        super().startService()  # type: ignore[no-untyped-call]
        try:
            self._start()
        except (EveError, OSError, ValueError) as error:
            self._reports.opening(f"cannot start: {error}")
            raise SystemExit(f"eve-sidecar cannot start: {error}") from error
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[None]:
        """Drain within ``GRACE`` seconds, then close the journal."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._reports.stopping(
            "stopping: what is in flight may finish", GRACE + RESET_WITHIN + self._config.audit_timeout
        )
        return Deferred.fromCoroutine(self._stop())

    def _start(self) -> None:
        config = self._config
        for warning in config.warnings:
            self._log.warn("{warning}", warning=warning)
        # What can be refused comes before the journal: a start that fails leaves no session in it. The socket listens
        # last, so that a fault finds nobody served, but it is bound first: the destination table must know our port.
        with ExitStack() as bound:
            listeners = [bound.enter_context(self._adopted.proxy or bind(config.host, config.port))]
            if config.transparent_port:
                redirected = self._adopted.transparent or bind_redirected(config.host, config.transparent_port)
                listeners += [bound.enter_context(listener) for listener in redirected]
            metrics = [bound.enter_context(listener) for listener in self._bind_metrics()]
            self._lines = self._open_log()
            self._reports.opening("opening the journal")
            self._open_journal()
            self._serve_metrics(metrics, self._serve(listeners, self._lines))
        assert self._session is not None
        self._session.begin()

    def _bind_metrics(self) -> list[socket]:
        config = self._config
        if not config.metrics_port:
            return []
        variables = "EVE_PROXY_METRICS_HOST and EVE_PROXY_METRICS_PORT"
        return [bind(config.metrics_host or config.host, config.metrics_port, variable=variables)]

    def _open_journal(self) -> None:
        config = self._config
        self._memory = Memory(config.audit_log)
        recalled = self._memory.recall()
        key = bytes.fromhex(SystemEntropy().hex(32)) if recalled is None else recalled[0]
        self._settings = Fingerprint.of(config.entries, key)
        self._journal = open_journal(
            config.audit_log,
            signer=config.signer,
            org_id=config.org_id,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            offload=self._committer,
            reactor_clock=self._reactor,
            sync=config.audit_sync,
            timeout=config.audit_timeout,
            config=self._settings.sha256,
            rotate_bytes=config.audit_rotate_bytes,
        )
        self._reactor.addSystemEventTrigger("after", "shutdown", self._committer.stop)

    def _serve(self, listeners: Sequence[socket], lines: LineWriter) -> Parts:
        config = self._config
        assert self._journal is not None
        raise_file_limit(config.max_connections, self._log.warn)
        suppressor = Suppressor(SystemClock())
        self._session = session = Session(
            self._journal,
            signer=config.signer,
            source=config.key_source,
            settings=self._settings,
            memory=self._memory,
            suppressor=suppressor,
            clock=SystemClock(),
            timers=self._reactor,
            offload=off_reactor(self._reactor),
        )
        self._parts = compose(
            config,
            reactor=self._reactor,
            journal=self._journal,
            own_ports={listener.getsockname()[1] for listener in listeners},
            listeners=[listener.getsockname()[:2] for listener in listeners],
            plugins=self._plugins,
            suppressor=suppressor,
            jwks=session.jwks,
            write_line=lines.write,
        )
        for listener in listeners:
            if not listener.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):  # one that was adopted keeps its Backlog=
                listener.listen(BACKLOG)
            adopted = self._reactor.adoptStreamPort(listener.fileno(), listener.family, self._parts.factory)
            self._ports.append(adopted)
        return self._parts

    def _serve_metrics(self, listeners: Sequence[socket], parts: Parts) -> None:
        self._settling = LoopingCall(settle, parts.watched)
        self._settling.clock = self._reactor
        self._settling.start(SETTLE_SECONDS, now=False)
        for listener in listeners:
            self._metrics = MetricsPort(parts.exposition.render, clock=self._reactor)
            listener.listen(BACKLOG)
            self._metrics_port = self._reactor.adoptStreamPort(listener.fileno(), listener.family, self._metrics)

    def _open_log(self) -> LineWriter:
        if self._decision_log == "-":
            return self._shared or LineWriter(STDOUT, self._reactor)
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._decision_log, flags, 0o640)
        except OSError as error:
            raise OSError(f"--decision-log {self._decision_log} cannot be opened: {error.strerror}") from error
        return LineWriter(self._descriptor, self._reactor)

    def _running(self) -> None:
        # Only now has the reactor installed its own handlers, and is anybody served. twistd would end by the signal
        # itself: an orchestrator that sent it reads 143 as a failure of the container.
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._terminate))
        # Its default would end the daemon without a session_close.
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._hangup))
        address = self._ports[0].getHost()
        self._log.info("eve-sidecar listening on {host}:{port}", host=address.host, port=address.port)
        if self._config.transparent_port:
            self._log.info("redirected connections on port {port}", port=self._config.transparent_port)
        if self._metrics_port is not None:
            address = self._metrics_port.getHost()
            self._log.info("metrics on {host}:{port}", host=address.host, port=address.port)
        self._reports.ready(self._status, self._committer)

    def _status(self) -> str:
        assert self._journal is not None
        if self._journal.problem is not None:
            return self._journal.problem
        address = self._ports[0].getHost()
        return f"listening on {address.host}:{address.port}, signing with the key {self._journal.key_id}"

    def _hangup(self) -> None:
        if self.running and self._session is not None:
            self._reports.reloading(self._session.hangup)

    def _terminate(self) -> None:
        if self.running:  # a second SIGTERM does not interrupt the drain
            self._reactor.stop()

    async def _stop(self) -> None:
        if self._parts is not None:
            await self._drain(self._parts)
        if self._journal is not None:
            if self._session is not None:
                self._session.end()
            try:
                await self._journal.close()
            except JournalUnavailable as error:
                self._log.error("the journal was not closed properly: {error}", error=str(error))
        if self._lines is not None and self._lines is not self._shared:
            self._lines.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
        # Last: how the stop went can be read until it is over.
        if self._metrics is not None:
            await self._metrics_port.stopListening()
            self._metrics.close()
        if self._settling is not None:
            self._settling.stop()

    async def _drain(self, parts: Parts) -> None:
        finished = Deferred.fromCoroutine(self._finish(parts))
        try:
            await timeoutDeferred(finished, GRACE, self._reactor)
        except DeadlineExceeded:
            await self._stop_listening()
            self._log.warn("{count} connections did not finish in time and are reset", count=parts.factory.connections)
            parts.factory.abort_all()
            # Their ends are still to come, and with them their outcomes.
            with suppress(DeadlineExceeded):
                await timeoutDeferred(parts.factory.drain(), RESET_WITHIN, self._reactor)
        parts.dialler.close()
        if parts.governance is not None:
            parts.governance.close()

    async def _finish(self, parts: Parts) -> None:
        await parts.factory.drain()
        await self._stop_listening()
        await parts.factory.dismiss()

    async def _stop_listening(self) -> None:
        for port in self._ports:
            await port.stopListening()
