"""What can go wrong, and whose fault it is. Messages are written for the person who reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eve_proxy.model.certificate import DecisionCertificate


class EveError(Exception):
    """Root of every error this package raises on purpose."""


class Malformed(EveError):
    """The peer sent bytes that are not acceptable HTTP. Nothing was decided, nothing is forwarded.

    :ivar status: the HTTP status that answers it: 400, 408, 414, 417, 431 or 501.
    :ivar fault: the rule's constant name, as the corpus file is called (``bare-lf``), for counters and logs.
    """

    def __init__(self, fault: str, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.status = status


class InvalidAuthority(Malformed):
    """A host or port that has no canonical form."""

    def __init__(self, detail: str) -> None:
        super().__init__("authority", detail)


class BodyTooLarge(EveError):
    """The request body exceeds EVE_PROXY_MAX_BODY (413)."""


class BodyInterrupted(EveError):
    """The client went away, or broke the framing, before its body was complete. Nobody is left to answer."""


class Overloaded(EveError):
    """A bound of the whole process is reached (503 with Retry-After)."""


class JudgingFailed(EveError):
    """Judging did not produce a verdict; the posture turns it into FAIL_CLOSED (pillar 114).

    The message becomes the certificate's reason: no secrets, no content.
    """


class DeadlineExceeded(JudgingFailed):
    """The enforcement deadline passed before a verdict was accepted."""


class GovernorUnavailable(JudgingFailed):
    """The governor could not be asked: refused, reset, breaker open, TLS not verified."""


class GovernorMisbehaved(JudgingFailed):
    """The governor's answer is not one we can act on: status, size, JSON, schema or request id."""


class SigningFailed(EveError):
    """The signer raised. There is no certificate, hence no permit: 503."""


class JournalUnavailable(EveError):
    """The record is not durable. There is no permit: 503.

    :ivar certificate: the signed ``fail_closed`` certificate with ``log: null`` (evidence.md), or None when
        even signing it failed.
    """

    def __init__(self, detail: str, certificate: DecisionCertificate | None = None) -> None:
        super().__init__(detail)
        self.certificate = certificate


class ResolveFailed(EveError):
    """The name of a permitted upstream did not resolve (502)."""


class UpstreamFailed(EveError):
    """The upstream could not be reached, broke off or answered with something that is not HTTP (502)."""


class PermitSpent(EveError):
    """A permit was presented twice. A defect of ours: nothing is dialled."""


class ConfigurationError(EveError):
    """Every fault of the configuration at once.

    :ivar faults: one line each: the variable, what is wrong, what to do.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process can raise it to its parent."""
        return type(self), (self.faults,)
