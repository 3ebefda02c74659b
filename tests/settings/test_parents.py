"""The variables of the parent proxies, seen through the whole parser."""

from __future__ import annotations

from base64 import b64encode

import pytest

from eve_proxy.config import Config, parse
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.settings import parents
from eve_proxy.settings.files import FileContent

KEY = {"JWT_SECRET_KEY": "a secret of the parents' tests, long enough"}
UP = {"EVE_PROXY_UPSTREAM_PROXY": "https://proxy.corp.example:3129"}
GOVERNED = {
    "EVE_PROXY_GOVERNANCE_URL": "https://gov.example",
    "EVE_PROXY_GOVERNANCE_PROXY": "http://proxy.corp.example:3128",
}
FILES = {
    "/good": FileContent(data=b"eve:hunter2\n", mode=0o600),
    "/open": FileContent(data=b"eve:hunter2\n", mode=0o644),
    "/bad": FileContent(data=b"hunter2\n", mode=0o600),
    "/ca.pem": FileContent(data=b"pem", mode=0o644),
}


def read_file(path: str) -> FileContent:
    if path in FILES:
        return FILES[path]
    raise FileNotFoundError(2, "No such file or directory", path)


def read(*environ: dict[str, str], **more: str) -> Config:
    together = {**KEY, **more}
    for each in environ:
        together |= each
    return parse(together, read_file=read_file)


def fault(*environ: dict[str, str], **more: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(*environ, **more)
    return "\n".join(caught.value.faults)


def test_off_by_default() -> None:
    """Nobody is asked for anything, and nothing is said about it."""
    config = read()
    assert (config.upstream_proxy, config.governance_proxy) == (None, None)
    assert config.upstream_proxy_by == "address"
    assert not any("PROXY" in warning and "UPSTREAM" in warning for warning in config.warnings)


def test_credentials_are_read_and_hidden() -> None:
    """The file's content becomes the header's value, and is shown nowhere."""
    config = read(UP, EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE="/good", EVE_PROXY_UPSTREAM_CA="/ca.pem")
    assert config.upstream_proxy_credentials is not None
    assert config.upstream_proxy_credentials.reveal() == b"Basic " + b64encode(b"eve:hunter2")
    assert "hunter2" not in repr(config)
    assert b64encode(b"eve:hunter2").decode() not in repr(config)
    assert all(entry.guarded for entry in config.entries if entry.name.endswith("CREDENTIALS_FILE"))


def test_a_file_that_everyone_can_read() -> None:
    """It starts with a warning, as for every other secret."""
    config = read(UP, EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE="/open")
    assert any("every user of this machine can read it" in warning for warning in config.warnings)


def test_credentials_in_the_clear() -> None:
    """Basic credentials for an http proxy can be read on the way: said, not forbidden."""
    config = read(GOVERNED, EVE_PROXY_GOVERNANCE_PROXY_CREDENTIALS_FILE="/good")
    assert any("in the clear" in warning for warning in config.warnings)
    assert not any(
        "in the clear" in each for each in read(UP, EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE="/good").warnings
    )


@pytest.mark.parametrize("name", ["UPSTREAM", "GOVERNANCE"])
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://eve:hunter2@proxy:3128", "name that in EVE_PROXY_{}_PROXY_CREDENTIALS_FILE"),
        ("http://proxy", "a port is required"),
        ("proxy:3128", "only http and https"),
    ],
)
def test_bad_urls(name: str, url: str, says: str) -> None:
    """The fault names the variable and not the password."""
    said = fault({f"EVE_PROXY_{name}_PROXY": url})
    assert said.startswith(f"EVE_PROXY_{name}_PROXY: ")
    assert says.format(name) in said
    assert "hunter2" not in said


def test_bad_credentials() -> None:
    """A file without a colon is refused without being shown."""
    said = fault(UP, EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE="/bad")
    assert said == "EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE: write user:password, on one line"
    assert "cannot be read" in fault(UP, EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE="/none")


@pytest.mark.parametrize(
    "environ",
    [
        {"EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE": "/good"},
        {"EVE_PROXY_UPSTREAM_CA": "/ca.pem"},
        {"EVE_PROXY_UPSTREAM_NO_PROXY": "corp.example"},
        {"EVE_PROXY_UPSTREAM_PROXY_BY": "name"},
        {"EVE_PROXY_GOVERNANCE_PROXY_CREDENTIALS_FILE": "/good"},
        {"EVE_PROXY_GOVERNANCE_PROXY_CA": "/ca.pem"},
    ],
)
def test_what_needs_a_proxy(environ: dict[str, str]) -> None:
    """A setting of a proxy that is not there would be a false sense of safety."""
    (name,) = environ
    assert fault(environ).startswith(f"{name} is set, and EVE_PROXY_")


@pytest.mark.parametrize("environ", [{"EVE_PROXY_UPSTREAM_NO_PROXY": ""}, {"EVE_PROXY_UPSTREAM_PROXY_BY": "address"}])
def test_what_says_nothing_without_one(environ: dict[str, str]) -> None:
    """A manifest may spell out an empty list and the default."""
    assert read(environ).upstream_proxy is None


@pytest.mark.parametrize(
    ("environ", "ca"),
    [
        ({"EVE_PROXY_UPSTREAM_PROXY": "http://p:1", "EVE_PROXY_UPSTREAM_CA": "/ca.pem"}, "EVE_PROXY_UPSTREAM_CA"),
        (GOVERNED | {"EVE_PROXY_GOVERNANCE_PROXY_CA": "/ca.pem"}, "EVE_PROXY_GOVERNANCE_PROXY_CA"),
    ],
)
def test_roots_for_a_proxy_without_tls(environ: dict[str, str], ca: str) -> None:
    """Whoever sets roots believes that TLS is spoken."""
    assert fault(environ).startswith(f"{ca} is set, and ")


def test_by_name_is_warned_about() -> None:
    """The operator knows what is no longer seen."""
    assert parents.BY_NAME in read(UP, EVE_PROXY_UPSTREAM_PROXY_BY="name").warnings
    assert parents.BY_NAME not in read(UP).warnings


def test_by_name_and_strict_contradict_each_other() -> None:
    """strict compares addresses, and there are none."""
    said = fault(UP, EVE_PROXY_UPSTREAM_PROXY_BY="name", EVE_PROXY_TRANSPARENT_VERIFY="strict")
    assert "contradict each other" in said
    for verify in ("dial-name", "off"):
        assert read(UP, EVE_PROXY_UPSTREAM_PROXY_BY="name", EVE_PROXY_TRANSPARENT_VERIFY=verify)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("embedded", "embedded governor"),
        ("unix:/run/gov.sock", "a Unix socket"),
        ("http://127.0.0.1:8000", "on this machine"),
        ("https://localhost:8000", "on this machine"),
    ],
)
def test_services_that_are_not_behind_a_proxy(url: str, says: str) -> None:
    """A proxy would look for them where they are not."""
    said = fault(GOVERNED | {"EVE_PROXY_GOVERNANCE_URL": url})
    assert said.startswith("EVE_PROXY_GOVERNANCE_PROXY: ")
    assert said.endswith("; unset it, or name another service in EVE_PROXY_GOVERNANCE_URL")
    assert says in said


def test_both_at_once() -> None:
    """The two are told apart."""
    config = read(UP, GOVERNED)
    assert config.upstream_proxy is not None
    assert config.governance_proxy is not None
    assert (config.upstream_proxy.name, config.governance_proxy.name) == (
        "proxy.corp.example:3129",
        "proxy.corp.example:3128",
    )
