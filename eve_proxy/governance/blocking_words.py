"""Why a socket failed, in words for whoever waits."""

from __future__ import annotations

import socket
import ssl


def said(error: OSError) -> str:
    """A few words: nothing of a certificate's content."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "TLS certificate not verified" + (
            ": it is not for this host" if "mismatch" in error.verify_message.lower() else ""
        )
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'the handshake failed'}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, socket.gaierror):
        return "its name was not found"
    return error.strerror or type(error).__name__
