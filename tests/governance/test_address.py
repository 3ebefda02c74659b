"""Where the governor is."""

from __future__ import annotations

import pytest

from eve_proxy.governance.address import Kind, parse_governance_url


@pytest.mark.parametrize(
    ("url", "kind", "host", "port", "path"),
    [
        ("https://gov.example", Kind.HTTPS, "gov.example", 443, "/v1/decisions/evaluate"),
        ("https://Gov.Example.:8443/base/", Kind.HTTPS, "gov.example", 8443, "/base/v1/decisions/evaluate"),
        ("HTTPS://gov.example/a/b", Kind.HTTPS, "gov.example", 443, "/a/b/v1/decisions/evaluate"),
        ("https://[2001:db8::1]:8443", Kind.HTTPS, "2001:db8::1", 8443, "/v1/decisions/evaluate"),
        ("http://127.0.0.1:9000", Kind.HTTP, "127.0.0.1", 9000, "/v1/decisions/evaluate"),
        ("http://127.8.9.1", Kind.HTTP, "127.8.9.1", 80, "/v1/decisions/evaluate"),
        ("http://[::1]/", Kind.HTTP, "::1", 80, "/v1/decisions/evaluate"),
        ("http://localhost:1", Kind.HTTP, "localhost", 1, "/v1/decisions/evaluate"),
    ],
)
def test_http_addresses(url: str, kind: Kind, host: str, port: int, path: str) -> None:
    """Every form of the reference is understood, and canonical."""
    address = parse_governance_url(url)
    assert (address.kind, address.host, address.port, address.path, address.name) == (kind, host, port, path, host)
    assert address.socket_path is None


def test_a_unix_socket() -> None:
    """A governor in the same pod needs no network."""
    address = parse_governance_url("unix:/run/eve/governor.sock")
    assert (address.kind, address.socket_path) == (Kind.UNIX, "/run/eve/governor.sock")
    assert (address.path, address.name) == ("/v1/decisions/evaluate", "unix:/run/eve/governor.sock")
    assert address.host is address.port is None
    assert parse_governance_url("unix:/run/g.sock:/base/").path == "/base/v1/decisions/evaluate"


def test_embedded() -> None:
    """The reference decision point needs no address, and is named as what it is."""
    address = parse_governance_url("embedded")
    assert (address.kind, address.name) == (Kind.EMBEDDED, "embedded")


@pytest.mark.parametrize("host", ["gov.example", "10.0.0.1", "192.168.1.1", "0.0.0.0", "[::2]", "[::ffff:127.0.0.1]",
                                  "localhost.example", "127.0.0.1.example"])  # fmt: skip
def test_plain_http_stays_on_this_machine(host: str) -> None:
    """Bodies and the token do not cross a network in the clear unless the operator says so."""
    with pytest.raises(ValueError, match="EVE_PROXY_GOVERNANCE_INSECURE=1"):
        parse_governance_url(f"http://{host}")
    assert parse_governance_url(f"http://{host}", insecure=True).kind is Kind.HTTP


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must be embedded"),
        ("Embedded", "must be embedded"),
        ("gov.example", "must be embedded"),
        ("ftp://gov.example", "must be embedded"),
        ("https:gov.example", "must be embedded"),
        ("https:///base", "no usable host"),
        ("https://", "no usable host"),
        ("https://gov.example:0", "no usable host"),
        ("https://gov.example:99999", "no usable host"),
        ("https://gov example", "visible ASCII"),
        ("https://gov.example\n", "visible ASCII"),
        ("https://gov.exämple", "visible ASCII"),
        ("https://gov.example?x=s3cret", "query"),
        ("https://gov.example/#s3cret", "fragment"),
        ("https://user:s3cret@gov.example", "EVE_PROXY_GOVERNANCE_TOKEN"),
        ("https://gov.example/a//b", "base path"),
        ("https://gov.example/../a", "base path"),
        ("unix:relative.sock", "absolute path"),
        ("unix://run/x.sock", "absolute path"),
        ("unix:/", "absolute path"),
        ("unix:", "absolute path"),
        ("unix:/run/x.sock:base", "base path"),
        ("unix:/" + "x" * 107, "107 bytes"),
    ],
)
def test_faults_are_explained_without_repeating_the_url(url: str, says: str) -> None:
    """The operator reads what is wrong; a password in the URL does not reach the log."""
    with pytest.raises(ValueError, match=says) as caught:
        parse_governance_url(url)
    assert "s3cret" not in str(caught.value)
