"""What is wrong with a CA, a certificate or a key is said at start, by variable and file."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from eve_proxy.model.authority import parse_authority
from eve_proxy.transport.tls import load_client_tls

HOST = parse_authority("governor.example:443", None)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a client certificate with its key, another key, an encrypted key, and nonsense."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    client, other = ca.issue_cert("client.example"), ca.issue_cert("other.example")
    (folder / "client.pem").write_bytes(b"".join(blob.bytes() for blob in client.cert_chain_pems) + ca.cert_pem.bytes())
    (folder / "client.key").write_bytes(client.private_key_pem.bytes())
    (folder / "other.key").write_bytes(other.private_key_pem.bytes())
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    (folder / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    (folder / "nonsense").write_bytes(b"hello")
    (folder / "damaged.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return folder


@pytest.mark.parametrize("host", ["governor.example:443", "192.0.2.1:443", "[2001:db8::1]:443"])
def test_good(files: Path, host: str) -> None:
    """System roots, own roots and a client certificate with its chain all load, for names and addresses."""
    authority = parse_authority(host, None)
    load_client_tls(authority)
    load_client_tls(authority, ca=str(files / "ca.pem"), cert=str(files / "client.pem"), key=str(files / "client.key"))


WRITE = "; name a file of certificates in PEM"


@pytest.mark.parametrize(
    ("ca", "cert", "key", "said"),
    [
        ("missing", None, None, "EVE_PROXY_GOVERNANCE_CA: cannot read {}/missing: No such file or directory"),
        ("nonsense", None, None, "EVE_PROXY_GOVERNANCE_CA='{}/nonsense': it holds no certificate" + WRITE),
        ("damaged.pem", None, None, "EVE_PROXY_GOVERNANCE_CA='{}/damaged.pem': it holds a damaged certificate" + WRITE),
        (None, "nonsense", "client.key", "EVE_PROXY_GOVERNANCE_CERT='{}/nonsense': it holds no certificate" + WRITE),
        (
            None,
            "client.pem",
            "nonsense",
            "EVE_PROXY_GOVERNANCE_KEY: {}/nonsense holds no PEM private key without a passphrase",
        ),
        (
            None,
            "client.pem",
            "locked.key",
            "EVE_PROXY_GOVERNANCE_KEY: {}/locked.key holds no PEM private key without a passphrase",
        ),
        (
            None,
            "client.pem",
            "other.key",
            "EVE_PROXY_GOVERNANCE_KEY: {}/other.key is not the key of the certificate in EVE_PROXY_GOVERNANCE_CERT",
        ),
    ],
)
def test_bad(files: Path, ca: str | None, cert: str | None, key: str | None, said: str) -> None:
    """The operator reads which variable is wrong and why, and nothing of the file's content."""
    paths = {name: str(files / file) for name, file in (("ca", ca), ("cert", cert), ("key", key)) if file}
    with pytest.raises(ValueError) as caught:
        load_client_tls(HOST, **paths)
    assert str(caught.value) == said.format(files)
