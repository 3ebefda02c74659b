"""The configuration as an operator meets it: defaults, faults, warnings, secrets, injected names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.config import Config, parse
from eve_proxy.governance.address import Kind
from eve_proxy.model.authority import parse_authority
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.settings.files import FileContent
from eve_proxy.settings.variables import VARIABLES
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519, private_pem

SECRET = "an operator's secret of well over thirty-two bytes"
KEY = {"JWT_SECRET_KEY": SECRET}


def no_files(path: str) -> FileContent:
    raise FileNotFoundError(2, "No such file or directory", path)


def files(**contents: bytes) -> dict[str, FileContent]:
    return {f"/{name}": FileContent(data=data, mode=0o600) for name, data in contents.items()}


def read(environ: dict[str, str], held: dict[str, FileContent] | None = None) -> Config:
    def read_file(path: str) -> FileContent:
        return held[path] if held and path in held else no_files(path)

    return parse({**KEY, **environ}, read_file=read_file)


def faults(environ: dict[str, str], held: dict[str, FileContent] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(environ, held)
    return caught.value.faults


def attempt(environ: dict[str, str]) -> Config | tuple[str, ...]:
    try:
        return parse(environ, read_file=no_files, declared=lambda names: ())
    except ConfigurationError as error:
        return error.faults


def test_the_guides_defaults() -> None:
    """With nothing but the key set, the ten variables of the guide have the guide's defaults."""
    config = read({})
    assert (config.host, config.port) == ("0.0.0.0", 3128)
    assert (config.upstream_timeout, config.enforce_timeout) == (30.0, 2.0)
    assert config.max_body == 10485760
    assert not config.blocked_hosts
    assert config.org_id == "default"
    assert config.fail_closed is True
    assert config.connect_passthrough is True
    assert config.hmac_secret.reveal() == SECRET.encode()


def test_the_defaults_of_the_design() -> None:
    """The other variables default to what the design documents say."""
    config = read({})
    assert str(config.audit_log) == "data/governance/fail_closed/fail_closed_events.jsonl"
    assert (config.audit_sync, config.audit_timeout) == ("batch", 5.0)
    assert config.governance.kind is Kind.EMBEDDED
    assert config.governance_auth == "bearer"
    assert (config.governance_breaker, config.governance_concurrency) == (5, 256)
    assert config.governance_redact_query >= {"api_key", "x-amz-signature"}
    assert config.policy_set == "egress_v1"
    assert config.allow_modify is False
    assert config.allowed_hosts is None
    assert config.allowed_clients.admits("127.0.0.1")
    assert not config.allowed_clients.admits("10.0.0.1")
    assert 443 in config.connect_ports
    assert 80 not in config.connect_ports
    assert config.connect_sni == "strict"
    assert (config.max_buffered, config.max_connections) == (268435456, 10000)
    assert config.ready_needs_governor is False
    assert (config.metrics_port, config.metrics_host) == (0, None)


def test_every_row_of_the_table_has_its_attribute() -> None:
    """A variable that is parsed is also there to be used, and nothing is there that no variable sets."""
    rows = {row.field for row in VARIABLES if row.field}
    attributes = {field.name for field in dataclasses.fields(Config)}
    assert attributes - rows == {
        "entries",
        "warnings",
        "policy",
        "signer",
        "key_source",
        "governance_keys",
        "upstream_proxy_credentials",
        "governance_proxy_credentials",
    }
    assert rows <= attributes


def test_values_reach_their_attributes() -> None:
    """What an operator sets is what the daemon uses."""
    config = read(
        {
            "EVE_PROXY_HOST": "::1",
            "EVE_PROXY_PORT": "0",
            "EVE_PROXY_ENFORCE_TIMEOUT": "0.25",
            "EVE_PROXY_BLOCKED_HOSTS": "pastebin.com,raw.githubusercontent.com,transfer.sh,0x0.st",
            "EVE_PROXY_ORG_ID": "bank_tier1_a",
            "EVE_PROXY_FAIL_CLOSED": "0",
            "EVE_PROXY_CONNECT_PASSTHROUGH": "0",
            "EVE_PROXY_ALLOWED_HOSTS": "example.com",
            "EVE_PROXY_GOVERNANCE_URL": "https://gov.example:8443/base",
            "EVE_PROXY_PREFILTERS": "",
        }
    )
    assert (config.host, config.port, config.enforce_timeout) == ("::1", 0, 0.25)
    assert config.blocked_hosts.touched_by(parse_authority("x.pastebin.com:80", None)) == "pastebin.com"
    assert config.org_id == "bank_tier1_a"
    assert config.fail_closed is False
    assert config.connect_passthrough is False
    assert config.allowed_hosts is not None
    assert config.governance.port == 8443


def test_all_faults_are_reported_at_once() -> None:
    """An operator repairs everything in one go: each fault is a line with the name, the value and what to write."""
    found = faults(
        {
            "EVE_PROXY_PORT": "99999",
            "EVE_PROXY_ENFORCE_TIMEOUT": "nan",
            "EVE_PROXY_MAX_BODY": "10M",
            "EVE_PROXY_FAIL_CLOSED": "true",
            "EVE_PROXY_FAIL_CLOSE": "0",
        }
    )
    assert len(found) == 5
    assert list(found) == sorted(found)
    text = "\n".join(found)
    assert "EVE_PROXY_PORT='99999': write a port from 1 to 65535" in text
    assert "EVE_PROXY_ENFORCE_TIMEOUT='nan': write seconds" in text
    assert "EVE_PROXY_MAX_BODY='10M': write bytes" in text
    assert "EVE_PROXY_FAIL_CLOSED='true': write 1 for on or 0 for off" in text
    assert "EVE_PROXY_FAIL_CLOSE: unknown; did you mean EVE_PROXY_FAIL_CLOSED?" in text


def test_no_key_no_start() -> None:
    """Without a signing key nothing starts, and the message says what to set."""
    with pytest.raises(ConfigurationError) as caught:
        parse({}, read_file=no_files)
    assert len(caught.value.faults) == 1
    assert "no key, no start" in caught.value.faults[0]
    assert "JWT_SECRET_KEY_FILE" in caught.value.faults[0]


def test_a_key_from_a_file() -> None:
    """The newline that an editor or openssl puts behind the secret does not count."""
    held = files(key=b"s" * 40 + b"\n")
    config = parse({"JWT_SECRET_KEY_FILE": "/key"}, read_file=held.__getitem__)
    assert config.hmac_secret.reveal() == b"s" * 40
    assert [entry.source for entry in config.entries if entry.name == "JWT_SECRET_KEY"] == ["file"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"JWT_SECRET_KEY": "x", "JWT_SECRET_KEY_FILE": "/key"}, "both set"),
        ({"JWT_SECRET_KEY_FILE": "/nowhere"}, "cannot be read (No such file or directory)"),
        ({"JWT_SECRET_KEY_FILE": "/empty"}, "the file is empty"),
        ({"JWT_SECRET_KEY_FILE": ""}, "JWT_SECRET_KEY_FILE is set but empty"),
        ({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY is set but empty"),
        ({"JWT_SECRET_KEY": "-----BEGIN PUBLIC KEY-----"}, "not a shared secret"),
        ({"JWT_SECRET_KEY_FILE": "/jwk"}, "not a shared secret"),
        ({"EVE_PROXY_SIGNING_KEY_FILE": "/key"}, "no private key in PEM"),
    ],
)
def test_faulty_keys(environ: dict[str, str], expected: str) -> None:
    """Every way to get the key wrong stops the start and says so."""
    held = files(key=b"k" * 40, empty=b"\n", jwk=b'{"kty": "OKP"}')

    def read_file(path: str) -> FileContent:
        return held[path] if path in held else no_files(path)

    with pytest.raises(ConfigurationError) as caught:
        parse(environ, read_file=read_file)
    assert expected in str(caught.value)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_secrets_are_never_shown(rest: str) -> None:
    """No repr, fault, warning or setting contains a secret."""
    secret = "s3cr3t" + rest
    token = "tok en-" + secret
    environ = {"JWT_SECRET_KEY": secret, "EVE_PROXY_GOVERNANCE_TOKEN": secret}
    config = parse(environ, read_file=no_files)
    shown = repr(config) + repr(config.entries) + "".join(config.warnings) + str(config.settings())
    assert "s3cr3t" not in shown
    with pytest.raises(ConfigurationError) as caught:
        parse({"EVE_PROXY_GOVERNANCE_TOKEN": token, "EVE_PROXY_PORT": "x"}, read_file=no_files)
    assert "s3cr3t" not in str(caught.value)
    assert "cannot stand in a header" in str(caught.value)


def test_a_password_in_the_governance_url_is_not_repeated() -> None:
    """The fault says what is wrong without printing the credential."""
    (fault,) = faults({"EVE_PROXY_GOVERNANCE_URL": "https://user:hunter2@gov.example"})
    assert fault.startswith("EVE_PROXY_GOVERNANCE_URL: ")
    assert "hunter2" not in fault


def test_an_empty_tenant_is_a_fault() -> None:
    """A pod without the tenant label does not start under somebody else's name."""
    (fault,) = faults({"EVE_PROXY_ORG_ID": ""})
    assert fault.startswith("EVE_PROXY_ORG_ID is set but empty")


def test_empty_means_empty_only_where_it_has_a_meaning() -> None:
    """``NAME=`` is a value for the lists that may be empty, and a fault everywhere else."""
    accepted = set()
    for row in VARIABLES:
        found = attempt({**KEY, row.name: ""})
        if isinstance(found, Config):
            accepted.add(row.name)
        else:
            assert all(row.name in fault and "set but empty" in fault for fault in found), found
    assert accepted == {
        "EVE_PROXY_BLOCKED_HOSTS",
        "EVE_PROXY_ALLOWED_NETWORKS",
        "EVE_PROXY_GOVERNANCE_REDACT_HEADERS",
        "EVE_PROXY_GOVERNANCE_REDACT_QUERY",
        "EVE_PROXY_PREFILTERS",
        "EVE_PROXY_UPSTREAM_NO_PROXY",
    }


def test_what_kubernetes_injects_is_ignored() -> None:
    """A Service called eve-proxy in the namespace does not keep the pod from starting, and is mentioned."""
    config = read(
        {
            "EVE_PROXY_SERVICE_HOST": "10.0.0.7",
            "EVE_PROXY_SERVICE_PORT_PROXY": "3128",
            "EVE_PROXY_PORT": "tcp://10.0.0.7:3128",
            "EVE_PROXY_PORT_3128_TCP": "tcp://10.0.0.7:3128",
            "EVE_PROXY_PORT_3128_TCP_ADDR": "10.0.0.7",
        }
    )
    assert config.port == 3128
    (warning,) = [line for line in config.warnings if "Kubernetes" in line]
    assert "EVE_PROXY_PORT, EVE_PROXY_PORT_3128_TCP" in warning


def test_fail_open_sync_off_and_the_embedded_governor_are_said() -> None:
    """Every weakening that is allowed is named at start."""
    config = read({"EVE_PROXY_FAIL_CLOSED": "0", "EVE_PROXY_AUDIT_SYNC": "off", "JWT_SECRET_KEY": "short"})
    starts = [line.split(":")[0] for line in config.warnings]
    assert "EVE_PROXY_FAIL_CLOSED=0" in starts
    assert "EVE_PROXY_AUDIT_SYNC=off" in starts
    assert "EVE_PROXY_GOVERNANCE_URL=embedded" in starts
    assert any("less than 32 bytes" in line for line in config.warnings)
    assert read({"EVE_PROXY_GOVERNANCE_URL": "https://gov.example"}).warnings == ()


def test_plain_http_to_a_governor_elsewhere_needs_consent() -> None:
    """Bodies do not travel in the clear unless the operator says so, and then it is said at start."""
    url = {"EVE_PROXY_GOVERNANCE_URL": "http://gov.example"}
    (fault,) = faults(url)
    assert "EVE_PROXY_GOVERNANCE_INSECURE=1" in fault
    assert any("INSECURE" in line for line in read({**url, "EVE_PROXY_GOVERNANCE_INSECURE": "1"}).warnings)
    assert read({"EVE_PROXY_GOVERNANCE_URL": "http://127.0.0.1:9"}).warnings == ()


def test_the_witnesss_keys() -> None:
    """The service's public keys are read at start: a file that holds none is a fault."""
    key = jwks([Ed25519Signer(ed25519())])
    url, jwk = {"EVE_PROXY_GOVERNANCE_URL": "http://127.0.0.1:9"}, {"EVE_PROXY_GOVERNANCE_JWKS": "/keys"}
    (found,) = read({**url, **jwk}, files(keys=key)).governance_keys
    assert found.key_id == Ed25519Signer(ed25519()).key_id
    assert read(url).governance_keys == ()
    (fault,) = faults({**url, **jwk}, files(keys=b"{}"))
    assert fault.startswith("EVE_PROXY_GOVERNANCE_JWKS: ")
    assert "private key" in faults({**url, **jwk}, files(keys=private_pem(ed25519())))[0]
    assert any("JWKS has no effect" in line for line in read(jwk, files(keys=key)).warnings)


def test_values_that_contradict_each_other() -> None:
    """Bounds that cannot both hold, and half a client certificate, are faults."""
    assert "EVE_PROXY_MAX_BUFFERED=5" in faults({"EVE_PROXY_MAX_BUFFERED": "5"})[0]
    held = files(pem=b"PEM")
    assert faults({"EVE_PROXY_GOVERNANCE_CERT": "/pem"}, held)[0].startswith("EVE_PROXY_GOVERNANCE_KEY is not set")
    assert faults({"EVE_PROXY_GOVERNANCE_KEY": "/pem"}, held)[0].startswith("EVE_PROXY_GOVERNANCE_CERT is not set")


def test_a_secret_file_that_everybody_can_read() -> None:
    """A lax file mode is mentioned; the mode of a public certificate is not."""
    lax = {"/t": FileContent(data=b"token", mode=0o644), "/ca": FileContent(data=b"PEM", mode=0o644)}
    environ = {
        "EVE_PROXY_GOVERNANCE_URL": "https://gov.example",
        "EVE_PROXY_GOVERNANCE_TOKEN_FILE": "/t",
        "EVE_PROXY_GOVERNANCE_CA": "/ca",
    }
    (warning,) = read(environ, lax).warnings
    assert warning.startswith("EVE_PROXY_GOVERNANCE_TOKEN_FILE='/t'")


def test_the_embedded_governors_policy() -> None:
    """The shipped policy is used unless a file replaces it, and a broken file stops the start with all its faults."""
    mine = files(
        mine=b"name: mine\ndefault: block\nvocabulary: []\ndetectors: {}\nrules: []\n", broken=b"default: maybe\n"
    )
    shipped = read({}).policy
    assert shipped is not None
    assert shipped.name == "egress_v1"
    replaced = read({"EVE_PROXY_POLICY_FILE": "/mine"}, mine).policy
    assert replaced is not None
    assert (replaced.name, replaced.allows) == ("mine", False)
    found = faults({"EVE_PROXY_POLICY_FILE": "/broken"}, mine)
    assert len(found) > 1
    assert all(fault.startswith("EVE_PROXY_POLICY_FILE: ") for fault in found)
    hosted = {"EVE_PROXY_GOVERNANCE_URL": "https://gov.example"}
    assert read(hosted).policy is None
    unused = read({**hosted, "EVE_PROXY_POLICY_FILE": "/mine"}, mine)
    assert unused.policy is None
    assert "has no effect" in unused.warnings[0]


def test_a_plugins_variables_are_accepted_when_it_is_required() -> None:
    """A drop-in's own variable is known while EVE_PROXY_PREFILTERS names the drop-in, and reaches its maker."""
    asked: list[Sequence[str]] = []

    def declared(names: Sequence[str]) -> tuple[str, ...]:
        asked.append(names)
        return ("EVE_PROXY_HOURS",)

    environ = {**KEY, "EVE_PROXY_PREFILTERS": "hours", "EVE_PROXY_HOURS": "9-17"}
    config = parse(environ, read_file=no_files, declared=declared)
    assert config.settings()["EVE_PROXY_HOURS"] == "9-17"
    assert config.prefilters == ("hours",)
    assert asked == [("hours",)]
    assert "EVE_PROXY_HOURS: unknown" in faults({"EVE_PROXY_HOURS": "9-17"})[0]


def test_a_plugin_that_is_not_there_is_one_of_the_faults() -> None:
    """A missing drop-in is reported together with everything else."""
    found = faults({"EVE_PROXY_PREFILTERS": "no_such_plugin", "EVE_PROXY_PORT": "x"})
    assert len(found) == 2
    assert "no_such_plugin" in "".join(found)


def test_settings_for_plugin_makers() -> None:
    """Makers see every EVE_PROXY_* text, defaults included, and no secret."""
    settings = read({"EVE_PROXY_BLOCKED_HOSTS": "a.example"}).settings()
    assert settings["EVE_PROXY_BLOCKED_HOSTS"] == "a.example"
    assert settings["EVE_PROXY_MAX_BODY"] == "10485760"
    assert "JWT_SECRET_KEY" not in settings
    assert "EVE_PROXY_GOVERNANCE_TOKEN" not in settings


@given(st.dictionaries(st.sampled_from([row.name for row in VARIABLES]), st.text(max_size=12), max_size=6))
def test_any_environment_gives_a_config_or_faults(environ: dict[str, str]) -> None:
    """Whatever stands in the environment, the answer is a configuration or a list of faults, never a traceback."""
    found = attempt(environ)
    assert isinstance(found, Config) or all("\n" not in fault for fault in found)
