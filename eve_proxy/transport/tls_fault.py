"""Why TLS failed, in words for whoever waits: nothing of a certificate's content."""

from __future__ import annotations

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError


def tls_fault(cause: BaseException | None) -> str | None:
    """What Twisted's ``connectionLost`` said, if it speaks of TLS; else None."""
    if isinstance(cause, VerificationError | CertificateError):
        return "TLS certificate not verified: it is not for this host"
    if isinstance(cause, SSL.Error):
        # [(library, function, reason), ...]; the last is what went wrong first.
        said = cause.args[0][-1][-1] if cause.args and cause.args[0] else "the handshake failed"
        return "TLS certificate not verified" if said == "certificate verify failed" else f"TLS: {said}"
    return None
