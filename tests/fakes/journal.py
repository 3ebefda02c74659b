"""A journal whose disk, thread and time obey the test."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from zope.interface import implementer

from eve_proxy.audit.file import FreeSpace, OsFile, open_file
from eve_proxy.audit.journal import Journal
from eve_proxy.audit.opening import open_journal
from eve_proxy.interfaces import IClock
from eve_proxy.model.certificate import DecisionCertificate, Draft, LogLink, RequestDigest
from eve_proxy.model.verdict import PolicyRef
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import timestamp
from tests.fakes.ports import SECRET, FakeEntropy

WALL = 1_776_348_143.847
PLENTY = FreeSpace(free=10 << 30, total=20 << 30)


@implementer(IClock)
class JournalClock(Clock):
    """Timers and time that move together."""

    def monotonic(self) -> float:
        return self.seconds()

    def wall(self) -> float:
        return WALL + self.seconds()


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def io_error() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


class Disk:
    """An ``Opener`` of real files with faults to order.

    :ivar room: bytes that still fit, then ENOSPC; None for enough.
    :ivar sync_failures: how many of the next syncs fail with EIO.
    """

    def __init__(self) -> None:
        self.room: int | None = None
        self.sync_failures = 0
        self.open_failures = 0
        self.space = PLENTY
        self.appends: list[int] = []
        self.opened = 0

    def __call__(self, path: Path) -> FaultyFile:
        self.opened += 1
        if self.open_failures:
            self.open_failures -= 1
            raise io_error()
        return FaultyFile(open_file(path), self)


class FaultyFile:
    """A ``JournalFile`` on a ``Disk``. A descriptor whose sync failed must never be used for another."""

    def __init__(self, inner: OsFile, disk: Disk) -> None:
        self.inner = inner
        self.disk = disk
        self.spoilt = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def append(self, data: bytes, durable: bool) -> None:
        assert not self.spoilt, "a descriptor was used again after its fsync failed"
        room = self.disk.room
        if room is not None:
            self.disk.room = max(0, room - len(data))
            if room < len(data):
                self.inner.append(data[:room], False)
                raise no_space()
        self.inner.append(data, False)
        if durable and self.disk.sync_failures:
            self.disk.sync_failures -= 1
            self.spoilt = True
            raise io_error()
        self.disk.appends.append(data.count(b"\n"))

    def free_space(self) -> FreeSpace:
        return self.disk.space


class Thread:
    """An ``Offload`` without a thread: runs at once, or when told while ``held``."""

    def __init__(self) -> None:
        self.held = False
        self.jobs: deque[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = deque()

    def __call__(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if not self.held:
            return maybeDeferred(function, *args)
        deferred: Deferred[Any] = Deferred()
        self.jobs.append((deferred, function, args))
        return deferred

    def run(self) -> None:
        """Do the oldest job and answer."""
        deferred, function, args = self.jobs.popleft()
        maybeDeferred(function, *args).addBoth(_fire, deferred)

    def release(self) -> None:
        """Do everything, and from now on at once."""
        self.held = False
        while self.jobs:
            self.run()


def _fire(result: Any, deferred: Deferred[Any]) -> None:
    deferred.callback(result)


class Bench:
    """One journal on one faulty disk."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.clock = JournalClock()
        self.entropy = FakeEntropy()
        self.disk = Disk()
        self.thread = Thread()
        self.options = options
        self.drafts = 0
        self.journal = self.open()

    def open(self, **options: Any) -> Journal:
        settings: dict[str, Any] = {
            "signer": HmacSigner(SECRET),
            "org_id": "acme",
            "clock": self.clock,
            "entropy": self.entropy,
            "offload": self.thread,
            "reactor_clock": self.clock,
            "opener": self.disk,
        }
        return open_journal(self.path, **(settings | self.options | options))

    def record(self) -> Outcome:
        self.drafts += 1
        return Outcome(self.journal.record(draft(self.drafts)))

    def lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines()


class Outcome:
    """What became of one record so far."""

    def __init__(self, deferred: Deferred[DecisionCertificate]) -> None:
        self.certificate: DecisionCertificate | None = None
        self.error: Any = None
        deferred.addCallbacks(self._succeed, self._fail)

    def _succeed(self, certificate: DecisionCertificate) -> None:
        self.certificate = certificate

    def _fail(self, failure: Any) -> None:
        self.error = failure.value

    @property
    def pending(self) -> bool:
        return self.certificate is None and self.error is None


def draft(number: int = 1, **changes: Any) -> Draft:
    """An allow for one POST."""
    values: dict[str, Any] = {
        "certificate_id": f"cert_{number:016x}",
        "verdict": "allow",
        "reason": "allowed",
        "matched_pillar": None,
        "matched_vector": None,
        "caller": "sidecar.forward_proxy.egress",
        "org_id": "acme",
        "latency_ms": 1.412,
        "timestamp": timestamp(WALL),
        "request": RequestDigest(
            method="POST", scheme="https", host="api.example.com", port=443, path_sha256="ab" * 32, body_bytes=19
        ),
        "coverage": "full",
        "governor": "embedded",
        "policy": PolicyRef(set="egress_v1", sha256="cd" * 32),
    }
    return Draft(**(values | changes))


def link(seq: int = 0, prev: str = "sha256-" + "0" * 64) -> LogLink:
    return LogLink(id="log_0123456789abcdef", seq=seq, prev=prev)
