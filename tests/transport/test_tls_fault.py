"""TLS failures in words."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.error import ConnectionDone

from eve_proxy.transport.tls_fault import tls_fault


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, None),
        (ConnectionDone(), None),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), "TLS certificate not verified"),
        (SSL.Error([("SSL routines", "", "wrong version number")]), "TLS: wrong version number"),
        (SSL.Error(), "TLS: the handshake failed"),
        (VerificationError(errors=[]), "TLS certificate not verified: it is not for this host"),
    ],
)
def test_words(cause: BaseException | None, words: str | None) -> None:
    """What is no failure of TLS is left to others to describe."""
    assert tls_fault(cause) == words
