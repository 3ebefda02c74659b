"""What only several variables together can get wrong, seen through the whole parser."""

from __future__ import annotations

import pytest

from eve_proxy.config import Config, parse
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.pdp.policy_file import SHIPPED
from eve_proxy.settings import agreement
from eve_proxy.settings.files import FileContent
from eve_proxy.settings.key_source import KeySource
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519, private_pem

KEY = {"JWT_SECRET_KEY": "a secret of the agreement's tests, long enough"}
HOSTED = {"EVE_PROXY_GOVERNANCE_URL": "https://gov.example"}
POLICY = FileContent(data=b"default: maybe\n", mode=0o644)


def read_file(path: str) -> FileContent:
    if path == "/policy.yaml":
        return POLICY
    if path == "/good.yaml":
        return FileContent(data=SHIPPED.read_bytes(), mode=0o644)
    if path == "/ed25519.pem":
        return FileContent(data=private_pem(ed25519()), mode=0o600)
    if path.startswith("/etc/"):
        return FileContent(data=b"pem", mode=0o600)
    raise FileNotFoundError(2, "No such file or directory", path)


def read(**environ: str) -> Config:
    return parse(KEY | environ, read_file=read_file)


def faults(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse(environ, read_file=read_file)
    return caught.value.faults


def test_no_key_no_start() -> None:
    """The message says how to make one."""
    assert faults({}) == (agreement.NO_KEY,)


def test_a_private_key_signs_instead() -> None:
    """With EVE_PROXY_SIGNING_KEY_FILE no secret is needed; one that is there all the same is said to do nothing."""
    config = parse({"EVE_PROXY_SIGNING_KEY_FILE": "/ed25519.pem"}, read_file=read_file)
    assert config.signer.key_id == Ed25519Signer(ed25519()).key_id
    assert config.key_source == KeySource(variable="EVE_PROXY_SIGNING_KEY_FILE", path="/ed25519.pem")
    assert agreement.TWO_KEYS not in config.warnings
    both = read(EVE_PROXY_SIGNING_KEY_FILE="/ed25519.pem")
    assert both.signer.key_id == config.signer.key_id
    assert agreement.TWO_KEYS in both.warnings


def test_the_secret_signs() -> None:
    """Without a private key the secret signs, and it is known whether it can be read again."""
    config = read()
    assert config.signer.key_id == HmacSigner(KEY["JWT_SECRET_KEY"].encode()).key_id
    assert config.key_source == KeySource(variable="JWT_SECRET_KEY", path=None)
    config = parse({"JWT_SECRET_KEY_FILE": "/etc/secret"}, read_file=read_file)
    assert config.signer.key_id == HmacSigner(b"pem").key_id
    assert config.key_source == KeySource(variable="JWT_SECRET_KEY_FILE", path="/etc/secret")


def test_a_file_without_a_private_key() -> None:
    """It stops the start with what to do, and is never taken for a secret."""
    (fault,) = faults({"EVE_PROXY_SIGNING_KEY_FILE": "/etc/key.pem"})
    assert fault.startswith("EVE_PROXY_SIGNING_KEY_FILE: no private key in PEM; make one with: eve-proxy keygen")
    (fault,) = faults({"EVE_PROXY_SIGNING_KEY_FILE": "/nowhere"})
    assert "cannot be read" in fault


@pytest.mark.parametrize(("length", "warned"), [(31, True), (32, False)])
def test_a_short_secret(length: int, warned: bool) -> None:
    """It starts, with a warning (RFC 7518 section 3.2) that does not tell the length."""
    warnings = read(JWT_SECRET_KEY="s" * length).warnings
    assert any("RFC 7518" in warning for warning in warnings) == warned


def test_a_body_that_no_buffer_holds() -> None:
    """Bounds that contradict each other are a fault that names both; equal ones are none."""
    (fault,) = faults(KEY | {"EVE_PROXY_MAX_BODY": "100", "EVE_PROXY_MAX_BUFFERED": "99"})
    assert "EVE_PROXY_MAX_BUFFERED=99" in fault
    assert "EVE_PROXY_MAX_BODY=100" in fault
    assert read(EVE_PROXY_MAX_BODY="100", EVE_PROXY_MAX_BUFFERED="100").max_buffered == 100


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        ({"EVE_PROXY_FAIL_CLOSED": "0"}, agreement.FAIL_OPEN),
        ({"EVE_PROXY_AUDIT_SYNC": "off"}, agreement.SYNC_OFF),
        ({}, agreement.EMBEDDED),
        (
            {"EVE_PROXY_GOVERNANCE_URL": "http://gov.example", "EVE_PROXY_GOVERNANCE_INSECURE": "1"},
            agreement.INSECURE,
        ),
    ],
)
def test_what_starts_all_the_same(environ: dict[str, str], warning: str) -> None:
    """What weakens the guarantees is said at every start, and only then."""
    assert warning in read(**environ).warnings
    assert warning not in read(**HOSTED).warnings


def test_plain_http_to_another_machine() -> None:
    """It needs an explicit permission; to this machine it needs none."""
    (fault,) = faults(KEY | {"EVE_PROXY_GOVERNANCE_URL": "http://gov.example"})
    assert fault.startswith("EVE_PROXY_GOVERNANCE_URL: ")
    assert "EVE_PROXY_GOVERNANCE_INSECURE" in fault
    assert agreement.INSECURE not in read(EVE_PROXY_GOVERNANCE_URL="http://127.0.0.1:8128").warnings


@pytest.mark.parametrize(("given", "lacking"), [("CERT", "KEY"), ("KEY", "CERT")])
def test_half_a_client_certificate(given: str, lacking: str) -> None:
    """A certificate and its key go together; the fault names the one that is missing."""
    found = faults(KEY | HOSTED | {f"EVE_PROXY_GOVERNANCE_{given}": "/etc/half.pem"})
    assert [fault for fault in found if fault.startswith(f"EVE_PROXY_GOVERNANCE_{lacking} is not set")]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"EVE_PROXY_GOVERNANCE_TOKEN": "abc"}, "EVE_PROXY_GOVERNANCE_TOKEN"),
        ({"EVE_PROXY_GOVERNANCE_CA": "/etc/ca.pem"}, "EVE_PROXY_GOVERNANCE_CA"),
    ],
)
def test_what_the_embedded_governor_does_not_use(environ: dict[str, str], name: str) -> None:
    """Somebody who thinks that a decision service is asked is told that it is not."""
    ineffective = f"{name} has no effect: the embedded governor is asked"
    assert ineffective in read(**environ).warnings
    assert ineffective not in read(**HOSTED, **environ).warnings


def test_the_policy_file_is_read_for_its_faults() -> None:
    """A broken policy stops the start, whoever decides; with a decision service it is said to have no effect."""
    broken = {"EVE_PROXY_POLICY_FILE": "/policy.yaml"}
    for environ in (KEY | broken, KEY | HOSTED | broken):
        assert all(fault.startswith("EVE_PROXY_POLICY_FILE: ") for fault in faults(environ))


def test_the_shipped_policy_is_the_default() -> None:
    """Without a file the embedded governor has its policy; with a decision service there is none."""
    assert read().policy is not None
    assert read(**HOSTED).policy is None
    good = {"EVE_PROXY_POLICY_FILE": "/good.yaml"}
    shipped, named = read().policy, read(**good).policy
    assert shipped is not None
    assert named is not None
    assert named.sha256 == shipped.sha256
    assert read(**HOSTED, **good).policy is None
    assert "EVE_PROXY_POLICY_FILE has no effect: a decision service is asked" in read(**HOSTED, **good).warnings


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"EVE_PROXY_METRICS_PORT": "3128"}, "is also EVE_PROXY_PORT"),
        ({"EVE_PROXY_METRICS_PORT": "15001"}, "is also EVE_PROXY_TRANSPARENT_PORT"),
    ],
)
def test_metrics_need_a_port_of_their_own(environ: dict[str, str], said: str) -> None:
    """Two listeners on one port are found before anything listens, and the message says what else there is."""
    (fault,) = faults(KEY | environ)
    assert said in fault
    assert "choose another port" in fault


def test_a_metrics_address_without_a_port() -> None:
    """Whoever forgot the port is told; with it there is nothing to say."""
    host = {"EVE_PROXY_METRICS_HOST": "10.0.0.5"}
    said = "EVE_PROXY_METRICS_HOST has no effect: EVE_PROXY_METRICS_PORT is not set"
    assert said in read(**host).warnings
    config = read(**host, EVE_PROXY_METRICS_PORT="9464")
    assert said not in config.warnings
    assert (config.metrics_host, config.metrics_port) == ("10.0.0.5", 9464)
