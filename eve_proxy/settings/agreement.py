"""What only several variables together can get wrong, and what should be known though it is allowed."""

from __future__ import annotations

from typing import Final

from eve_proxy.governance.address import GovernanceAddress, Kind, parse_governance_url
from eve_proxy.pdp.policy import Policy
from eve_proxy.pdp.policy_file import PolicyFault, load_policy, parse_policy
from eve_proxy.settings.key_source import KEY_FILE, SECRET, SECRET_FILE, KeySource, signer_from
from eve_proxy.settings.parents import check_parents
from eve_proxy.settings.reading import Reading
from eve_proxy.settings.secret import Secret
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.key_document import NotAPublicKey, public_keys
from eve_proxy.signing.private_key import NotASigningKey
from eve_proxy.signing.public_key import PublicKey
from eve_proxy.signing.secret import SHORTEST

_POLICY_FILE: Final = "EVE_PROXY_POLICY_FILE"
_GOVERNANCE_JWKS: Final = "EVE_PROXY_GOVERNANCE_JWKS"
_METRICS_HOST: Final = "EVE_PROXY_METRICS_HOST"
# What has no effect without a decision service.
_OF_A_SERVICE: Final = (
    "EVE_PROXY_GOVERNANCE_TOKEN",
    "EVE_PROXY_GOVERNANCE_TOKEN_FILE",
    "EVE_PROXY_GOVERNANCE_CA",
    _GOVERNANCE_JWKS,
)

NO_KEY: Final = (
    "JWT_SECRET_KEY is not set: no key, no start. Set it to at least 32 random bytes (openssl rand -hex 32), "
    "or set JWT_SECRET_KEY_FILE to a file that holds them, "
    "or set EVE_PROXY_SIGNING_KEY_FILE to a private key (eve-proxy keygen)"
)
TWO_KEYS: Final = (
    "JWT_SECRET_KEY has no effect: EVE_PROXY_SIGNING_KEY_FILE signs. "
    "Keep the secret for whoever verifies old journals, and unset it here"
)
EMBEDDED: Final = (
    "EVE_PROXY_GOVERNANCE_URL=embedded: requests are judged by the reference decision point in this process, "
    "not by a decision service"
)
FAIL_OPEN: Final = "EVE_PROXY_FAIL_CLOSED=0: requests leave unjudged when judging fails; for development only"
SYNC_OFF: Final = "EVE_PROXY_AUDIT_SYNC=off: a crash of the machine can lose records of requests that have left"
INSECURE: Final = (
    "EVE_PROXY_GOVERNANCE_INSECURE=1: the decision service is asked without TLS; anyone on the way can allow"
)


def check_agreement(reading: Reading) -> None:
    """Compare the values that were read; add to ``reading``'s faults and warnings."""
    _check_keys(reading)
    _check_governance(reading)
    _read_policy(reading)
    _read_governance_keys(reading)
    check_parents(reading)
    _check_metrics(reading)
    values = reading.values
    body, buffered = values.get("max_body"), values.get("max_buffered")
    if isinstance(body, int) and isinstance(buffered, int) and buffered < body:
        reading.faults.append(
            f"EVE_PROXY_MAX_BUFFERED={buffered} is less than EVE_PROXY_MAX_BODY={body}: "
            "raise the one or lower the other"
        )
    if values.get("fail_closed") is False:
        reading.warnings.append(FAIL_OPEN)
    if values.get("audit_sync") == "off":
        reading.warnings.append(SYNC_OFF)


def _check_keys(reading: Reading) -> None:
    """Choose what signs: the private key, or else the secret."""
    if "hmac_secret" not in reading.values:  # it has a fault of its own
        return
    secret = reading.values["hmac_secret"]
    if KEY_FILE in reading.texts:
        content = reading.contents.get(KEY_FILE)
        if content is None:  # as above
            return
        try:
            reading.values["signer"] = signer_from(KEY_FILE, content)
        except NotASigningKey as error:
            reading.faults.append(f"{KEY_FILE}: {error}")
        reading.values["key_source"] = KeySource(variable=KEY_FILE, path=str(reading.values["signing_key_file"]))
        if secret is not None:
            reading.warnings.append(TWO_KEYS)
        return
    if not isinstance(secret, Secret):
        reading.faults.append(NO_KEY)
        return
    path = reading.paths.get(SECRET_FILE)
    reading.values["signer"] = HmacSigner(secret.reveal())
    reading.values["key_source"] = KeySource(variable=SECRET if path is None else SECRET_FILE, path=path)
    if len(secret) < SHORTEST:
        reading.warnings.append(
            f"JWT_SECRET_KEY has less than {SHORTEST} bytes (RFC 7518 section 3.2): "
            "openssl rand -hex 32 makes a better one"
        )


def _check_governance(reading: Reading) -> None:
    values, texts = reading.values, reading.texts
    if bool(values.get("governance_cert")) != bool(values.get("governance_key")):
        lacking = "EVE_PROXY_GOVERNANCE_KEY" if values.get("governance_cert") else "EVE_PROXY_GOVERNANCE_CERT"
        reading.faults.append(f"{lacking} is not set: a client certificate and its key go together")
    address, insecure = values.get("governance"), values.get("governance_insecure")
    if not isinstance(address, GovernanceAddress):
        return
    if address.kind is Kind.EMBEDDED:
        reading.warnings.append(EMBEDDED)
        for name in _OF_A_SERVICE:
            if name in texts:
                reading.warnings.append(f"{name} has no effect: the embedded governor is asked")
    elif _POLICY_FILE in texts:
        reading.warnings.append(f"{_POLICY_FILE} has no effect: a decision service is asked")
    try:
        parse_governance_url(texts.get("EVE_PROXY_GOVERNANCE_URL", Kind.EMBEDDED.value))
    except ValueError as error:
        if insecure is True:
            reading.warnings.append(INSECURE)
        elif insecure is False:
            reading.faults.append(f"EVE_PROXY_GOVERNANCE_URL: {error}")


def _check_metrics(reading: Reading) -> None:
    port = reading.values.get("metrics_port")
    if port == 0:
        if _METRICS_HOST in reading.texts:
            reading.warnings.append(f"{_METRICS_HOST} has no effect: EVE_PROXY_METRICS_PORT is not set")
        return
    for field in ("port", "transparent_port"):
        if port is not None and reading.values.get(field) == port:
            reading.faults.append(
                f"EVE_PROXY_METRICS_PORT={port} is also EVE_PROXY_{field.upper()}: choose another port, "
                "or 0: allowed clients find /metrics at EVE_PROXY_PORT too"
            )


def _read_governance_keys(reading: Reading) -> None:
    keys: tuple[PublicKey, ...] = ()
    if _GOVERNANCE_JWKS in reading.contents:
        try:
            keys = public_keys(reading.contents[_GOVERNANCE_JWKS])
        except NotAPublicKey as error:
            reading.faults.append(f"{_GOVERNANCE_JWKS}: {error}")
    reading.values["governance_keys"] = keys


def _read_policy(reading: Reading) -> None:
    """The embedded governor's policy; one that will not be used is read all the same, for its faults."""
    address = reading.values.get("governance")
    embedded = isinstance(address, GovernanceAddress) and address.kind is Kind.EMBEDDED
    policy: Policy | None = None
    try:
        if _POLICY_FILE in reading.contents:
            policy = parse_policy(reading.contents[_POLICY_FILE])
        elif embedded and _POLICY_FILE not in reading.texts:
            policy = load_policy()
    except PolicyFault as error:
        reading.faults += [f"{_POLICY_FILE}: {fault}" for fault in error.faults]
    reading.values["policy"] = policy if embedded else None
