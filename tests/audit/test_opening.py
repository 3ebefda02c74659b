"""Opening a journal after everything that can have happened to it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from eve_proxy import __version__
from eve_proxy.audit.lock import JournalLocked
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, Report, walk
from eve_proxy.signing.verification import keys_from
from tests.fakes.journal import Bench
from tests.fakes.ports import SECRET

OTHER = b"another secret of the tests, as long"


def examine(path: Path, *keys: bytes) -> Report:
    with path.open("rb") as stream:
        return walk(stream, keys_from(keys or (SECRET,)))


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def killed(path: Path, decisions: int = 2, **options: Any) -> Bench:
    """A journal whose daemon was killed: no session_close, and the kernel dropped the lock."""
    bench = Bench(path, **options)
    for _ in range(decisions):
        bench.record()
    bench.journal._lock.release()
    return bench


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "governance" / "events.jsonl"


def test_first_line_says_who_writes(path: Path) -> None:
    """The first record names the version, the process, the sync mode and a digest of the settings."""
    Bench(path, config="sha256-00")
    (opened,) = records(path)
    assert opened["kind"] == "session_open"
    assert opened["log"]["seq"] == 0
    assert opened["org_id"] == "acme"
    assert opened["record"] == {
        "config": "sha256-00", "pid": os.getpid(), "previous_key_id": None, "sync": "batch", "version": __version__,
    }  # fmt: skip


def test_opening_is_durable_even_with_sync_off(path: Path) -> None:
    """A failing device stops the start: no session is built on sand."""
    bench = killed(path, sync="off")
    bench.disk.sync_failures = 1
    with pytest.raises(JournalUnavailable, match="Input/output error"):
        bench.open()
    bench.open()  # and the failed attempt left the lock free


def test_second_opener_is_refused(path: Path) -> None:
    """A second daemon on the same journal does not start."""
    bench = Bench(path)
    with pytest.raises(JournalLocked, match=f"process {os.getpid()}"):
        bench.open()
    assert len(records(path)) == 1


def test_restart_continues_the_chain(path: Path) -> None:
    """After a clean stop and after kill -9, the same file goes on as one chain."""
    bench = killed(path)
    journal = bench.open()
    journal.close()
    bench.open().close()
    report = examine(path)
    assert (report.exit, report.records) == (Exit.WHOLE, 7)
    assert report.kinds["session_open"] == 3


def test_killed_between_write_and_sync(path: Path) -> None:
    """A whole line that was never confirmed stays: more may be recorded than was released, never less."""
    bench = Bench(path)
    bench.thread.held = True
    pending = bench.record()
    bench.journal._file._file.append(bench.journal._inflight[0].certificate.line + b"\n", False)  # type: ignore[index]
    bench.journal._lock.release()
    bench.thread.held = False
    bench.thread.jobs.clear()
    bench.open().close()
    assert pending.pending
    assert [record["kind"] for record in records(path)] == ["session_open", "decision", "session_open", "session_close"]
    assert examine(path).exit is Exit.WHOLE


@pytest.mark.parametrize("torn", [b'{"certificate_id":"cert_00', b"\0" * 70_000, b"\xff"])
def test_torn_last_line_is_cut_and_said(path: Path, torn: bytes) -> None:
    """A half-written line goes, and a signed record says how much went and what its digest was."""
    bench = killed(path)
    with path.open("ab") as stream:
        stream.write(torn)
    bench.open().close()
    found = records(path)
    assert [record["kind"] for record in found[3:]] == ["session_open", "recovered", "session_close"]
    details = found[4]["record"]
    assert (details["bytes"], details["sha256"]) == (len(torn), hashlib.sha256(torn).hexdigest())
    assert examine(path).exit is Exit.WHOLE


def test_only_a_torn_line(path: Path) -> None:
    """A daemon killed while writing its very first line leaves a new journal, and the cut is said."""
    path.parent.mkdir()
    path.write_bytes(b'{"certif')
    Bench(path)
    assert [record["kind"] for record in records(path)] == ["session_open", "recovered"]
    assert examine(path).fault == "truncated"


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [*lines[:-1], lines[-1].replace(b"allow", b"block")],
        lambda lines: [*lines[:-1], lines[-1].replace(b":", b": ", 1)],
        lambda lines: [*lines[:-1], b"garbage"],
        lambda lines: [*lines, b""],
        lambda lines: [*lines[:-2], lines[-1]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0], lines[0]],
        lambda lines: [*lines[:-2], b"\0" * len(lines[-2]), lines[-1]],
    ],
    ids=["edited", "respaced", "garbage", "blank", "dropped", "repeated", "restarted", "zeroed"],
)
def test_damaged_tail_is_set_aside_never_silently(path: Path, damage: Any) -> None:
    """A changed tail is never continued: the file is kept as it is, and the new journal vouches for its digest."""
    bench = killed(path, decisions=3)
    lines = path.read_bytes().splitlines()
    content = b"\n".join(damage(lines)) + b"\n"
    path.write_bytes(content)
    bench.open().close()
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.name == "events.jsonl.damaged-20260416T140223847Z"
    assert aside.read_bytes() == content
    opened = records(path)[0]
    assert opened["log"]["seq"] == 0
    assert opened["log"]["id"] != json.loads(lines[0])["log"]["id"]
    assert opened["record"]["damaged_sha256"] == hashlib.sha256(content).hexdigest()
    assert opened["record"]["damaged_file"] == aside.name
    report = examine(path)
    assert (report.exit, report.follows) == (Exit.WHOLE, (hashlib.sha256(content).hexdigest(),))


def test_damage_twice_overwrites_nothing(path: Path) -> None:
    """Two damaged files of the same millisecond are both kept."""
    for _ in range(3):
        bench = killed(path)
        path.write_bytes(path.read_bytes() + b"garbage\n")
        bench.open()._lock.release()
    assert len(list(path.parent.glob("*.damaged-*"))) == 3


def test_tail_of_another_key_is_continued_and_named(path: Path) -> None:
    """After a change of the secret the chain goes on; the new session names the key before."""
    killed(path, signer=HmacSigner(OTHER))
    bench = killed(path)
    opened = records(path)[3]
    assert opened["record"]["previous_key_id"] == HmacSigner(OTHER).key_id
    bench.open().close()
    assert records(path)[-2]["record"]["previous_key_id"] is None
    assert examine(path, SECRET, OTHER).exit is Exit.WHOLE
    assert examine(path, SECRET).exit is Exit.UNTRUSTED


def test_damaged_tail_of_another_key(path: Path) -> None:
    """Hash and chain are checked even where the signature cannot be."""
    killed(path, signer=HmacSigner(OTHER))
    path.write_bytes(path.read_bytes().replace(b'"port":443', b'"port":444'))
    killed(path)
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_forged_tail_under_our_key_id(path: Path) -> None:
    """A forger who recomputes hashes but has no key is found out by the signature."""
    bench = killed(path)
    lines = path.read_bytes().splitlines()
    forged = lines[-1][: lines[-1].index(b'"signature":"hmac-') + 18] + b"0" * 64
    forged += lines[-1][len(forged) :]
    path.write_bytes(b"\n".join([*lines[:-1], forged]) + b"\n")
    bench.open()
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A journal path that cannot be used stops the start with the path and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnavailable, match=r"file/events\.jsonl"):
        Bench(tmp_path / "file" / "events.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(JournalUnavailable, match="directory"):
        Bench(tmp_path / "folder.jsonl")


def test_full_disk_at_start(path: Path) -> None:
    """A start on a full disk fails, and leaves a journal that the next start repairs."""
    bench = killed(path)
    bench.disk.room = 100
    with pytest.raises(JournalUnavailable, match="No space left"):
        bench.open()
    bench.disk.room = None
    bench.open().close()
    assert "recovered" in examine(path).kinds
    assert examine(path).exit is Exit.WHOLE
