"""The library's composition root: from an environment to parts, once per process."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.library import Library, Process
from eve_proxy.model.errors import ConfigurationError, JournalUnavailable
from eve_proxy.settings.agreement import EMBEDDED
from eve_proxy.signing.journal_walk import Exit, walk
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.journal import draft
from tests.fakes.keys import ed25519, private_pem
from tests.fakes.ports import SECRET


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {"JWT_SECRET_KEY": SECRET.decode(), "EVE_PROXY_AUDIT_LOG": str(folder / "events.jsonl"), **more}


def test_settings_reach_the_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is set is what holds; what should be known is logged once, by the standard logger."""
    with caplog.at_level(logging.WARNING):
        library = Library(
            environ(
                tmp_path,
                EVE_PROXY_ORG_ID="bank",
                EVE_PROXY_MAX_BODY="123",
                EVE_PROXY_FAIL_CLOSED="0",
                EVE_PROXY_AUDIT_TIMEOUT="1.5",
            )
        )
    parts = library.parts
    assert (parts.org_id, parts.max_body, parts.fail_open, parts.journal.timeout) == ("bank", 123, True, 1.5)
    assert [prefilter.name for prefilter in parts.body_filters] == ["body_limit"]
    assert parts.governor(1.0).name == "embedded"
    assert EMBEDDED in caplog.messages
    assert library.journal.path is not None
    library.close()


def test_a_private_key_signs_here_too(tmp_path: Path) -> None:
    """A program that enforces needs no shared secret, and its journal verifies with the public half."""
    (tmp_path / "key.pem").write_bytes(private_pem(ed25519()))
    settings = environ(tmp_path, EVE_PROXY_SIGNING_KEY_FILE=str(tmp_path / "key.pem"))
    del settings["JWT_SECRET_KEY"]
    library = Library(settings)
    library.journal.submit(draft()).future.result(10)
    path = library.journal.path
    library.close()
    assert path is not None
    with path.open("rb") as stream:
        assert walk(stream, [Ed25519Signer(ed25519())]).exit is Exit.WHOLE


@pytest.mark.parametrize(
    ("url", "name"), [("https://gov.example/base", "gov.example"), ("unix:/run/gov.sock", "unix:/run/gov.sock")]
)
def test_a_hosted_governor_is_asked_by_its_name(tmp_path: Path, url: str, name: str) -> None:
    """Certificates will say who decided."""
    library = Library(environ(tmp_path, EVE_PROXY_GOVERNANCE_URL=url, EVE_PROXY_GOVERNANCE_TOKEN="tok"))
    assert library.parts.governor(1.0).name == name
    library.close()


@pytest.mark.parametrize("name", ["EVE_PROXY_GOVERNANCE_CA", "EVE_PROXY_POLICY_FILE", "JWT_SECRET_KEY_FILE"])
def test_faults_are_configuration_errors(tmp_path: Path, name: str) -> None:
    """A file that cannot be used is said with its variable, and no journal is begun."""
    (tmp_path / "bad").write_bytes(b"")
    settings = environ(tmp_path, EVE_PROXY_GOVERNANCE_URL="https://gov.example", **{name: str(tmp_path / "bad")})
    if name == "JWT_SECRET_KEY_FILE":
        del settings["JWT_SECRET_KEY"]
    with pytest.raises(ConfigurationError, match=name):
        Library(settings)
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def process(folder: Path) -> tuple[Process, list[dict[str, str]]]:
    asked: list[dict[str, str]] = []

    def environment() -> dict[str, str]:
        asked.append(environ(folder))
        return asked[-1]

    return Process(environment), asked


def test_the_environment_is_read_once(tmp_path: Path) -> None:
    """Changing a variable later changes nothing."""
    ours, asked = process(tmp_path)
    assert ours.ready() is None
    parts = ours.parts()
    assert ours.parts() is parts is ours.ready()
    assert len(asked) == 1
    ours.close()
    ours.close()


def test_closing_ends_the_journal_and_the_next_call_begins_another(tmp_path: Path) -> None:
    """A test suite, or a server that is started twice in one process, does not find everything refused."""
    ours, asked = process(tmp_path)
    ours.close()
    before: Any = ours.parts()
    path = before.journal.path
    ours.close()
    assert b'"kind":"session_close"' in path.read_bytes()
    assert ours.ready() is None
    with pytest.raises(JournalUnavailable, match="closed"):
        before.journal.submit(draft())
    assert ours.parts() is not before
    assert len(asked) == 2
    ours.close()


def test_a_forked_child_makes_its_own(tmp_path: Path) -> None:
    """Other parts, another journal; also when a thread of the parent held the lock."""
    ours, asked = process(tmp_path)
    before: Any = ours.parts()
    ours._lock.acquire()
    ours.forked()
    with pytest.raises(JournalUnavailable, match="forked"):
        before.journal.submit(draft())
    assert ours.ready() is None
    assert ours.parts() is not before
    assert len(asked) == 2
    assert len(list(tmp_path.glob("events.lib-*.jsonl"))) == 2
    ours.close()
