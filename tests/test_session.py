"""The daemon's own records: settings, keys, and that it is alive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from eve_proxy import session as module
from eve_proxy.audit.memory import Memory
from eve_proxy.audit.suppression import Suppressor
from eve_proxy.config import Config, parse
from eve_proxy.session import MINUTE, Session
from eve_proxy.settings.fingerprint import Fingerprint
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, walk
from eve_proxy.signing.key_document import public_keys
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from tests.fakes.journal import Bench
from tests.fakes.keys import ed25519, p256, private_pem
from tests.fakes.ports import SECRET

KEY = b"k" * 32
ONE, TWO = Ed25519Signer(ed25519(1)), P256Signer(p256(2))


class Daemon:
    """A session on a real journal with a faulty disk, and a key file that can be replaced."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.key = folder / "key.pem"
        if not self.key.exists():
            self.key.write_bytes(private_pem(ed25519(1)))
        self.config = self.configured(**environ)
        self.bench = Bench(folder / "events.jsonl", signer=self.config.signer)
        self.offloaded: list[Deferred[Any]] = []
        self.memory = Memory(folder / "events.jsonl")
        self.suppressor = Suppressor(self.bench.clock)
        self.session = Session(
            self.bench.journal,
            signer=self.config.signer,
            source=self.config.key_source,
            settings=Fingerprint.of(self.config.entries, KEY),
            memory=self.memory,
            suppressor=self.suppressor,
            clock=self.bench.clock,
            timers=self.bench.clock,
            offload=maybeDeferred,
        )

    def configured(self, **environ: str) -> Config:
        key = {} if "JWT_SECRET_KEY" in environ else {"EVE_PROXY_SIGNING_KEY_FILE": str(self.key)}
        return parse(key | environ)

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.bench.lines()]
        return [record for record in found if kind in (None, record["kind"])]

    def stop(self) -> None:
        self.session.end()
        self.bench.journal.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    made = Daemon(tmp_path)
    made.session.begin()
    return made


@pytest.fixture
def log() -> Iterator[mock.Mock]:
    with mock.patch.object(module, "_log") as made:
        yield made


# -- alive -------------------------------------------------------------------------------------------------------------


def test_a_heartbeat_every_minute(daemon: Daemon) -> None:
    """A quiet hour can be told from a stopped daemon; each heartbeat says how many outcomes are missing."""
    daemon.bench.clock.advance(MINUTE)
    daemon.bench.journal.outcomes_lost = 3
    daemon.bench.clock.advance(MINUTE)
    first, second = daemon.records("heartbeat")
    assert first["record"] == {"outcomes_lost": 0, "uptime_s": 60}
    assert second["record"] == {"outcomes_lost": 3, "uptime_s": 120}
    daemon.stop()
    daemon.bench.clock.advance(MINUTE)
    assert len(daemon.records("heartbeat")) == 2


def test_suppressed_refusals_are_recorded_every_minute(daemon: Daemon) -> None:
    """A flood is one record a minute, a quiet minute is none, and what is left at the end is said before it."""
    for _ in range(13):
        daemon.suppressor.admit("192.0.2.7", "client")
    daemon.bench.clock.advance(MINUTE)
    daemon.bench.clock.advance(MINUTE)
    (suppressed,) = daemon.records("suppressed")
    assert suppressed["record"]["count"] == 3
    for _ in range(11):
        daemon.suppressor.admit("192.0.2.8", "client")
    daemon.stop()
    assert [record["kind"] for record in daemon.records()[-2:]] == ["suppressed", "session_close"]


def test_minutes_without_a_disk(daemon: Daemon, log: mock.Mock) -> None:
    """A full disk is said once by the journal; heartbeats do not repeat it, and they go on when it is over."""
    daemon.bench.disk.room = 0
    daemon.bench.clock.advance(MINUTE)
    daemon.bench.clock.advance(MINUTE)
    assert log.mock_calls == []
    for _ in range(11):
        daemon.suppressor.admit("192.0.2.7", "client")
    daemon.bench.clock.advance(MINUTE)
    assert "No space left" in log.warn.mock_calls[0].kwargs["error"]
    daemon.bench.disk.room = None
    daemon.bench.clock.advance(5)
    daemon.bench.clock.advance(MINUTE)
    assert len(daemon.records("heartbeat")) >= 1


# -- settings ----------------------------------------------------------------------------------------------------------


def test_the_first_session_has_nothing_to_compare(daemon: Daemon) -> None:
    """A new journal begins without a word about changes, and remembers."""
    assert daemon.records("config_change") == []
    assert daemon.memory.recall() is not None


def test_a_restart_says_what_changed(daemon: Daemon, tmp_path: Path) -> None:
    """Between two sessions: the variables, and digests; a restart with the same settings says nothing."""
    daemon.stop()
    changed = Daemon(tmp_path, EVE_PROXY_FAIL_CLOSED="0")
    changed.session.begin()
    (record,) = changed.records("config_change")
    assert [change["name"] for change in record["record"]["changed"]] == ["EVE_PROXY_FAIL_CLOSED"]
    changed.stop()
    same = Daemon(tmp_path, EVE_PROXY_FAIL_CLOSED="0")
    same.session.begin()
    assert len(same.records("config_change")) == 1


def test_a_forgotten_session_is_said(daemon: Daemon, tmp_path: Path) -> None:
    """Whoever deletes the reminder does not hide a change: that nothing is known is a record."""
    daemon.stop()
    daemon.memory.path.unlink()
    again = Daemon(tmp_path)
    again.session.begin()
    (record,) = again.records("config_change")
    assert (record["record"]["previous"], record["record"]["changed"]) == (None, [])


def test_a_change_that_was_not_recorded_is_said_next_time(daemon: Daemon, tmp_path: Path, log: mock.Mock) -> None:
    """With a full disk at the start, the following session tells the change."""
    daemon.stop()
    unlucky = Daemon(tmp_path, EVE_PROXY_ORG_ID="evil")
    unlucky.bench.disk.room = 0
    unlucky.session.begin()
    assert log.warn.call_count == 1
    unlucky.bench.disk.room = None
    unlucky.bench.clock.advance(10)
    unlucky.stop()
    again = Daemon(tmp_path, EVE_PROXY_ORG_ID="evil")
    again.session.begin()
    assert len(again.records("config_change")) == 1


def test_a_reminder_that_cannot_be_written(tmp_path: Path, log: mock.Mock) -> None:
    """That is a warning and nothing more."""
    daemon = Daemon(tmp_path)
    with mock.patch.object(Memory, "keep", side_effect=OSError(30, "Read-only file system")):
        daemon.session.begin()
    assert log.warn.mock_calls[0].kwargs["error"] == "Read-only file system"


# -- keys --------------------------------------------------------------------------------------------------------------


def test_sighup_after_the_file_changed(daemon: Daemon, log: mock.Mock) -> None:
    """The old key names the new one, which signs from then on; both are published, and the whole journal verifies."""
    daemon.bench.record()
    daemon.key.write_bytes(private_pem(p256(2)))
    daemon.session.hangup()
    daemon.bench.record()
    daemon.stop()
    kinds = [(record["kind"], record["key_id"]) for record in daemon.records()]
    assert kinds == [
        ("session_open", ONE.key_id),
        ("decision", ONE.key_id),
        ("key_rotation", ONE.key_id),
        ("config_change", TWO.key_id),
        ("decision", TWO.key_id),
        ("session_close", TWO.key_id),
    ]
    (changed,) = daemon.records("config_change")
    assert [change["name"] for change in changed["record"]["changed"]] == ["EVE_PROXY_SIGNING_KEY_FILE"]
    published = public_keys(daemon.session.jwks())
    assert [key.key_id for key in published] == [TWO.key_id, ONE.key_id]
    with daemon.bench.path.open("rb") as stream:
        assert walk(stream, published).exit is Exit.WHOLE
    assert log.error.mock_calls == []


def test_a_restart_after_a_rotation_says_nothing_new(daemon: Daemon, tmp_path: Path) -> None:
    """The change of key was recorded when it happened."""
    daemon.key.write_bytes(private_pem(p256(2)))
    daemon.session.hangup()
    daemon.stop()
    again = Daemon(tmp_path)
    again.session.begin()
    assert len(again.records("config_change")) == 1


@pytest.mark.parametrize("content", [b"", b"garbage", private_pem(ed25519(1))[:50], b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_bad_file_keeps_the_old_key(daemon: Daemon, log: mock.Mock, content: bytes) -> None:
    """A file that is half written, or no key, changes nothing; the error names file and key, and no content."""
    daemon.key.write_bytes(content)
    daemon.session.hangup()
    daemon.bench.record()
    assert {record["key_id"] for record in daemon.records()} == {ONE.key_id}
    assert daemon.records("key_rotation") == []
    (call,) = log.error.mock_calls
    said = call.args[0].format(**call.kwargs)
    assert str(daemon.key) in said
    assert f"the key {ONE.key_id} goes on signing" in said
    daemon.key.write_bytes(private_pem(p256(2)))
    daemon.session.hangup()
    assert daemon.bench.journal.key_id == TWO.key_id


def test_a_file_that_is_gone(daemon: Daemon, log: mock.Mock) -> None:
    """So does a missing file."""
    daemon.key.unlink()
    daemon.session.hangup()
    assert "cannot be read" in log.error.mock_calls[0].kwargs["error"]
    assert daemon.bench.journal.key_id == ONE.key_id


def test_an_unchanged_file(daemon: Daemon, log: mock.Mock) -> None:
    """SIGHUP without a new key is no rotation."""
    daemon.session.hangup()
    assert daemon.records("key_rotation") == []
    assert log.info.call_count == 1


def test_a_secret_in_the_environment(tmp_path: Path, log: mock.Mock) -> None:
    """A secret that no file holds cannot be read again: that is said, and nothing is published."""
    daemon = Daemon(tmp_path, JWT_SECRET_KEY=SECRET.decode())
    daemon.session.begin()
    daemon.session.hangup()
    assert log.warn.mock_calls[0].kwargs["name"] == "JWT_SECRET_KEY"
    assert json.loads(daemon.session.jwks()) == {"keys": []}
    assert daemon.bench.journal.key_id == HmacSigner(SECRET).key_id


def test_a_full_disk_while_the_key_changes(daemon: Daemon, log: mock.Mock) -> None:
    """Without a record there is no new key: the old one signs on and the new one is not published; later it works."""
    daemon.key.write_bytes(private_pem(p256(2)))
    daemon.bench.disk.room = 0
    daemon.session.hangup()
    assert daemon.bench.journal.key_id == ONE.key_id
    assert [key.key_id for key in public_keys(daemon.session.jwks())] == [ONE.key_id]
    assert "SIGHUP again" in log.error.mock_calls[0].args[0]
    daemon.bench.disk.room = None
    daemon.bench.clock.advance(5)
    daemon.session.hangup()
    assert daemon.bench.journal.key_id == TWO.key_id


def test_one_sighup_after_the_other(daemon: Daemon) -> None:
    """Two in a row change the key once."""
    daemon.key.write_bytes(private_pem(p256(2)))
    daemon.bench.thread.held = True
    daemon.session.hangup()
    daemon.session.hangup()
    daemon.bench.thread.release()
    assert len(daemon.records("key_rotation")) == 1
