"""TLS towards the decision service and parent proxies: verified against the configured roots and the host's own name,
or not at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from eve_proxy.model.authority import Authority

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_CERTIFICATE_END: Final = b"-----END CERTIFICATE-----"


def load_client_tls(
    authority: Authority,
    *,
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    ca_variable: str = "EVE_PROXY_GOVERNANCE_CA",
) -> IOpenSSLClientConnectionCreator:
    """TLS 1.2 or later to ``authority``, whose certificate must be valid for its host (service-identity).

    :param ca: path of PEM roots to use instead of the system's.
    :param ca_variable: which variable says so.
    :param cert: path of our PEM certificate, with any intermediates after it; ``key``: path of its private key.
    :raises ValueError: which variable's file cannot be used, and why; nothing of its content.
    """
    roots = _roots(ca, ca_variable) if ca else platformTrust()  # type: ignore[no-untyped-call]
    extra: dict[str, Any] = {"raiseMinimumTo": TLSVersion.TLSv1_2}
    client = None
    if cert and key:
        client, chain = _identity(cert, key)
        if chain:
            extra["extraCertChain"] = [certificate.original for certificate in chain]
    return optionsForClientTLS(
        authority.host,
        trustRoot=roots,
        clientCertificate=client,
        acceptableProtocols=[b"http/1.1"],
        extraCertificateOptions=extra,
    )


def _roots(path: str, variable: str) -> Any:
    roots = _certificates(path, variable)
    return trustRootFromCertificates(roots)  # type: ignore[no-untyped-call]


def _identity(cert: str, key: str) -> tuple[PrivateCertificate, list[Certificate]]:
    own, *chain = _certificates(cert, "EVE_PROXY_GOVERNANCE_CERT")
    pem = _read(key, "EVE_PROXY_GOVERNANCE_KEY")
    try:
        private: Any = load_pem_private_key(pem, None)
        pair = KeyPair(crypto.PKey.from_cryptography_key(private))  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"EVE_PROXY_GOVERNANCE_KEY: {key} holds no PEM private key without a passphrase") from error
    if own.original.to_cryptography().public_key() != private.public_key():
        raise ValueError(
            f"EVE_PROXY_GOVERNANCE_KEY: {key} is not the key of the certificate in EVE_PROXY_GOVERNANCE_CERT"
        )
    return PrivateCertificate.fromCertificateAndKeyPair(own, pair), chain  # type: ignore[no-untyped-call]


def _certificates(path: str, variable: str) -> list[Certificate]:
    blocks = _read(path, variable).split(_CERTIFICATE)[1:]
    try:
        found = [
            Certificate.loadPEM(_CERTIFICATE + block.partition(_CERTIFICATE_END)[0] + _CERTIFICATE_END + b"\n")
            for block in blocks
        ]
    except crypto.Error as error:
        raise ValueError(
            f"{variable}={path!r}: it holds a damaged certificate; name a file of certificates in PEM"
        ) from error
    if not found:
        raise ValueError(f"{variable}={path!r}: it holds no certificate; name a file of certificates in PEM")
    return found


def _read(path: str, variable: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{variable}: cannot read {path}: {error.strerror}") from error
