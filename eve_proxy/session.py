"""What the journal says of the daemon's own life: its settings, its keys, and that it is alive (evidence.md).

Nothing here is on the request path, and no request waits for any of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from eve_proxy.audit.journal import Journal
from eve_proxy.audit.memory import Memory
from eve_proxy.audit.suppression import Suppressor
from eve_proxy.interfaces import IClock, ISigner
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.settings.fingerprint import Fingerprint
from eve_proxy.settings.key_source import KeyRead, KeySource, UnusableKey
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.public_key import Ed25519Public, P256Public

MINUTE: Final = 60.0

_log = Logger()


class Session:
    """One open journal's daemon.

    :param signer: what signs at the start; ``source`` is where it came from.
    :param settings: the configuration in force.
    :param memory: what the session before left.
    :param offload: ``offload(function, *arguments)``: a Deferred of the result, computed off the reactor thread.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        signer: ISigner,
        source: KeySource,
        settings: Fingerprint,
        memory: Memory,
        suppressor: Suppressor,
        clock: IClock,
        timers: IReactorTime,
        offload: Callable[..., Deferred[Any]],
    ) -> None:
        self._journal = journal
        self._source = source
        self._settings = settings
        self._memory = memory
        self._suppressor = suppressor
        self._clock = clock
        self._offload = offload
        self._signers = [signer]
        self._rereading = DeferredLock()
        self._began = clock.monotonic()
        self._minutes = LoopingCall(self._minute)
        self._minutes.clock = timers

    def jwks(self) -> bytes:
        """The public keys that have signed since the start, the newest first (RFC 7517)."""
        return jwks(signer for signer in reversed(self._signers) if isinstance(signer, Ed25519Public | P256Public))

    def begin(self) -> Deferred[None]:
        """Say what changed since the last session, and from now on once a minute that all is well.

        Fires when the former is durable and remembered.
        """
        self._minutes.start(MINUTE, now=False)
        recalled = self._memory.recall()
        before = None if recalled is None else Fingerprint(key=recalled[0], variables=recalled[1])
        if before is None and self._journal.head.seq <= 1:  # session_open alone: there was no session before
            return Deferred.fromCoroutine(self._remember())
        return Deferred.fromCoroutine(self._settings_changed(before))

    def hangup(self) -> Deferred[None]:
        """SIGHUP: read the signing key's file again, and sign with what it holds from now on."""
        return self._rereading.run(lambda: Deferred.fromCoroutine(self._reread()))

    def end(self) -> None:
        """The last words before the journal is closed."""
        if self._minutes.running:
            self._minutes.stop()
        self._note_suppressed()

    async def _reread(self) -> None:
        try:
            read: KeyRead | None = await self._offload(self._source.read)
        except UnusableKey as error:
            _log.error("{error}; the key {key_id} goes on signing", error=str(error), key_id=self._journal.key_id)
            return
        if read is None:
            _log.warn("SIGHUP: nothing to read again, the signing key is in {name}", name=self._source.variable)
        elif read.signer.key_id == self._journal.key_id:
            _log.info("SIGHUP: the signing key {key_id} is the same as before", key_id=read.signer.key_id)
        else:
            await self._rotate(read)

    async def _rotate(self, read: KeyRead) -> None:
        old, new = self._journal.key_id, read.signer.key_id
        # Published before anybody can be shown a certificate of it.
        self._signers.append(read.signer)
        try:
            await self._journal.rotate(read.signer)
        except (JournalUnavailable, SigningFailed) as error:
            self._signers.remove(read.signer)
            _log.error(
                "the signing key was not changed: {error}; the key {key_id} goes on signing, send SIGHUP again later",
                error=str(error),
                key_id=old,
            )
            return
        _log.info("the key {new} signs from now on, the key {old} no longer", new=new, old=old)
        before = self._settings
        self._settings = before.having(read.variable, read.sha256)
        await self._settings_changed(before)

    async def _settings_changed(self, before: Fingerprint | None) -> None:
        try:
            for details in self._settings.changes_since(before):
                await self._journal.note("config_change", "settings changed", details)
        except (JournalUnavailable, SigningFailed) as error:
            # Not remembered: the next session says it.
            _log.warn("a change of settings was not recorded: {error}", error=str(error))
            return
        await self._remember()

    async def _remember(self) -> None:
        try:
            await self._offload(self._memory.keep, self._settings.key, self._settings.variables)
        except OSError as error:
            _log.warn(
                "{path} cannot be written ({error}): the next session will not know which settings changed",
                path=str(self._memory.path),
                error=error.strerror or str(error),
            )

    def _minute(self) -> None:
        self._note_suppressed()
        details = {
            "uptime_s": int(self._clock.monotonic() - self._began),
            "outcomes_lost": self._journal.outcomes_lost,
        }
        # A journal that cannot be written says so itself.
        self._journal.note("heartbeat", "alive", details).addErrback(_trap)

    def _note_suppressed(self) -> None:
        details = self._suppressor.drain()
        if details is not None:
            noted = self._journal.note("suppressed", "refusals without a record of their own", details)
            noted.addErrback(lambda failure: _log.warn("{error}", error=failure.getErrorMessage()))


def _trap(failure: Any) -> None:
    failure.trap(JournalUnavailable, SigningFailed)
