"""A line on its way to the disk, and what has to happen when it gets there or does not."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred

from eve_proxy.audit.beginning import link_after
from eve_proxy.interfaces import ISigner
from eve_proxy.model.certificate import DecisionCertificate, LogLink

NEVER: Final = float("inf")


class Entry:
    """One record in the queue or under way.

    :ivar line: without newline.
    :ivar next: the place behind it, for the record after it.
    :ivar certificate: None of an outcome: nobody asks for more than its line.
    :ivar waiter: who is told; None on the journal's own records, on outcomes, and after a refusal.
    :ivar due: when waiting ends, on the monotonic clock.
    :ivar late: the waiter was refused while the line was being written.
    :ivar voids: the certificate that this ``void`` record names.
    :ivar rotation: of a ``key_rotation``.
    """

    __slots__ = ("certificate", "due", "late", "line", "next", "rotation", "voids", "waiter")

    def __init__(
        self,
        line: bytes,
        following: LogLink,
        certificate: DecisionCertificate | None = None,
        waiter: Deferred[DecisionCertificate] | None = None,
        due: float = NEVER,
    ) -> None:
        self.line = line
        self.next = following
        self.certificate = certificate
        self.waiter = waiter
        self.due = due
        self.late = False
        self.voids: DecisionCertificate | None = None
        self.rotation: Rotation | None = None

    @classmethod
    def of(
        cls, certificate: DecisionCertificate, waiter: Deferred[DecisionCertificate] | None = None, due: float = NEVER
    ) -> Entry:
        """The entry of any other record."""
        return cls(certificate.line, link_after(certificate), certificate, waiter, due)


class Rotation:
    """The change of key that one record stands for.

    :ivar before: who signed that record, and signs again should it never become durable.
    :ivar done: fires when it is durable; fails when it never will be.
    """

    __slots__ = ("before", "done")

    def __init__(self, before: ISigner) -> None:
        self.before = before
        self.done: Deferred[DecisionCertificate] = Deferred()
