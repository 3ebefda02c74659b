"""One variable at a time: texts to values, faults collected, secrets hidden."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from eve_proxy.settings.files import FileContent
from eve_proxy.settings.reading import Reading
from eve_proxy.settings.secret import HIDDEN, Secret
from eve_proxy.settings.variables import BY_NAME

KEY = "a secret that must never be shown to anybody"


def read(name: str, texts: Mapping[str, str], files: Mapping[str, FileContent] | None = None) -> Reading:
    """What reading the row ``name`` alone has left."""

    def read_file(path: str) -> FileContent:
        if files is None or path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    reading = Reading(texts=texts, read_file=read_file)
    reading.take(BY_NAME[name])
    return reading


def test_a_default() -> None:
    """A variable that is not set has its default, and the table says so."""
    reading = read("EVE_PROXY_PORT", {})
    assert (reading.values, reading.faults) == ({"port": 3128}, [])
    (entry,) = reading.entries
    assert (entry.name, entry.text, entry.source) == ("EVE_PROXY_PORT", "3128", "default")
    assert entry.help == BY_NAME["EVE_PROXY_PORT"].help


def test_a_value_of_the_environment() -> None:
    """What is set wins."""
    reading = read("EVE_PROXY_PORT", {"EVE_PROXY_PORT": "8080"})
    assert (reading.values, reading.entries[0].source) == ({"port": 8080}, "env")


def test_a_fault_is_collected() -> None:
    """The fault names variable and text; there is no value that somebody could go on with."""
    reading = read("EVE_PROXY_PORT", {"EVE_PROXY_PORT": "many\x1b[2J"})
    (fault,) = reading.faults
    assert fault.startswith("EVE_PROXY_PORT='many")
    assert "\x1b" not in fault
    assert reading.values == {}


def test_an_empty_text() -> None:
    """An empty tenant would stamp nonsense into every certificate; an empty list of hosts is a list."""
    (fault,) = read("EVE_PROXY_ORG_ID", {"EVE_PROXY_ORG_ID": ""}).faults
    assert fault.startswith("EVE_PROXY_ORG_ID is set but empty")
    assert "(default)" in fault
    assert read("EVE_PROXY_BLOCKED_HOSTS", {"EVE_PROXY_BLOCKED_HOSTS": ""}).faults == []


def test_a_url_with_a_password_is_not_repeated() -> None:
    """The fault of a quiet variable names it and not its text."""
    reading = read("EVE_PROXY_GOVERNANCE_URL", {"EVE_PROXY_GOVERNANCE_URL": "https://user:hunter2@gov.example"})
    (fault,) = reading.faults
    assert fault.startswith("EVE_PROXY_GOVERNANCE_URL: ")
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("texts", "source"),
    [({"JWT_SECRET_KEY": KEY}, "env"), ({"JWT_SECRET_KEY_FILE": "/key"}, "file"), ({}, "default")],
)
def test_a_secret_is_hidden(texts: dict[str, str], source: str) -> None:
    """The table shows that there is one and where it comes from, never what it is."""
    reading = read("JWT_SECRET_KEY", texts, {"/key": FileContent(data=f"{KEY}\n".encode(), mode=0o600)})
    (entry,) = reading.entries
    assert (entry.source, entry.secret, entry.text) == (source, True, HIDDEN if texts else "")
    assert KEY not in repr(reading.values)
    if texts:
        secret = reading.values["hmac_secret"]
        assert isinstance(secret, Secret)
        assert secret.reveal() == KEY.encode()
    assert reading.faults == []


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"JWT_SECRET_KEY": KEY, "JWT_SECRET_KEY_FILE": "/key"}, "are both set: unset one"),
        ({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY is set but empty"),
        ({"JWT_SECRET_KEY_FILE": "/empty"}, "JWT_SECRET_KEY_FILE='/empty': the file is empty"),
        ({"JWT_SECRET_KEY_FILE": "/none"}, "cannot be read (No such file or directory)"),
    ],
)
def test_a_secret_that_cannot_be_had(texts: dict[str, str], said: str) -> None:
    """One fault, which does not tell the secret; no value."""
    files = {"/key": FileContent(data=KEY.encode(), mode=0o600), "/empty": FileContent(data=b"\n", mode=0o600)}
    reading = read("JWT_SECRET_KEY", texts, files)
    (fault,) = reading.faults
    assert said in fault
    assert KEY not in fault
    assert reading.values == {}


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_a_secret_file_that_everybody_can_read(mode: int, warned: int) -> None:
    """It starts, with a warning that says what to do."""
    files = {"/key": FileContent(data=KEY.encode(), mode=mode)}
    warnings = read("JWT_SECRET_KEY", {"JWT_SECRET_KEY_FILE": "/key"}, files).warnings
    assert len(warnings) == warned
    assert all("chmod 0600" in warning for warning in warnings)


def test_the_content_of_a_named_file_is_kept() -> None:
    """A policy is read once, here; nobody opens its file again."""
    files = {"/policy.yaml": FileContent(data=b"default: block\n", mode=0o644)}
    reading = read("EVE_PROXY_POLICY_FILE", {"EVE_PROXY_POLICY_FILE": "/policy.yaml"}, files)
    assert (reading.contents, reading.warnings) == ({"EVE_PROXY_POLICY_FILE": b"default: block\n"}, [])
    missing = read("EVE_PROXY_POLICY_FILE", {"EVE_PROXY_POLICY_FILE": "/none"})
    assert "name a file that this user can read" in missing.faults[0]


@pytest.mark.parametrize("prefix", ["$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/"])
@pytest.mark.parametrize("name", ["EVE_PROXY_SIGNING_KEY_FILE", "JWT_SECRET_KEY_FILE"])
def test_a_credential_of_systemd(prefix: str, name: str) -> None:
    """A unit's EnvironmentFile, in which nothing is expanded, can name a file that LoadCredential= put there."""
    files = {"/run/credentials/x.service/key": FileContent(data=KEY.encode(), mode=0o400)}
    reading = Reading(
        texts={name: f"{prefix}key"}, read_file=files.__getitem__, credentials="/run/credentials/x.service"
    )
    reading.take(BY_NAME[name.removesuffix("_FILE") if name.startswith("JWT") else name])
    assert (reading.contents, reading.faults) == ({name: KEY.encode()}, [])
    assert reading.paths == {name: "/run/credentials/x.service/key"}


def test_no_credentials_of_systemd() -> None:
    """Outside such a unit the name leads nowhere, and that is one fault which says what is missing."""
    texts = {"JWT_SECRET_KEY_FILE": "$CREDENTIALS_DIRECTORY/key"}
    reading = Reading(texts=texts, read_file=dict[str, FileContent]().__getitem__)
    reading.take(BY_NAME["JWT_SECRET_KEY"])
    reading.take(BY_NAME["JWT_SECRET_KEY_FILE"])
    (fault,) = reading.faults
    assert "LoadCredential=" in fault


def test_what_changed_can_be_told_without_the_values() -> None:
    """Two readings differ in their digests exactly where a value, or the content of a named file, differs."""

    def digest(name: str, text: str, content: bytes = b"") -> str:
        (entry,) = read(name, {name: text}, {text: FileContent(data=content, mode=0o600)}).entries
        assert entry.sha256 not in repr(entry)
        return entry.sha256

    assert digest("EVE_PROXY_ORG_ID", "acme") == hashlib.sha256(b"acme").hexdigest()
    assert digest("EVE_PROXY_GOVERNANCE_CA", "/a", b"x") == digest("EVE_PROXY_GOVERNANCE_CA", "/a", b"x")
    assert digest("EVE_PROXY_GOVERNANCE_CA", "/a", b"x") != digest("EVE_PROXY_GOVERNANCE_CA", "/a", b"y")
    assert digest("EVE_PROXY_GOVERNANCE_CA", "/a", b"x") != digest("EVE_PROXY_GOVERNANCE_CA", "/b", b"x")


@pytest.mark.parametrize(
    ("name", "guarded"),
    [("JWT_SECRET_KEY", True), ("EVE_PROXY_SIGNING_KEY_FILE", True), ("EVE_PROXY_ORG_ID", False)],
)
def test_what_must_not_be_guessed(name: str, guarded: bool) -> None:
    """Secrets and private keys are marked, so that nobody publishes their plain digest."""
    (entry,) = read(name, {}).entries
    assert entry.guarded is guarded
