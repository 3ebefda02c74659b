"""The file of one library process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eve_proxy.audit.file import create_file
from eve_proxy.audit.process_journal import process_path
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.spelling import read_line
from tests.fakes.journal import draft
from tests.fakes.library import process_journal


def test_the_name_says_which_process() -> None:
    """Beside the daemon's journal, found by a search for *.jsonl, and never shared."""
    path = process_path(Path("/var/log/events.jsonl"), 42, "00ff")
    assert path == Path("/var/log/events.lib-42-00ff.jsonl")
    assert process_path(Path("events.jsonl"), 42, "00ff").is_absolute()


def test_opens_at_the_first_record(tmp_path: Path) -> None:
    """A process that enforces nothing leaves no file; the first record finds session_open before it."""
    journal = process_journal(tmp_path / "a" / "b")
    assert (journal.path, journal.head, list(tmp_path.iterdir())) == (None, None, [])
    certificate = journal.submit(draft()).future.result(20)
    assert certificate.log is not None
    assert certificate.log.seq == 1
    assert journal.head is not None
    assert journal.path is not None
    first = read_line(journal.path.read_bytes().splitlines()[0])
    assert (first["kind"], first["caller"], first["log"]["seq"]) == ("session_open", "eve_proxy.fail_closed", 0)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    journal.close()


def test_two_journals_have_two_ids(tmp_path: Path) -> None:
    """Each process is a chain of its own."""
    one, two = process_journal(tmp_path / "1"), process_journal(tmp_path / "2", signer=HmacSigner(b"another" * 8))
    assert one.submit(draft()).certificate.key_id != two.submit(draft()).certificate.key_id
    one.close()
    two.close()


def test_a_folder_that_cannot_be_made_refuses_with_a_certificate_until_it_can(tmp_path: Path) -> None:
    """A read-only disk keeps functions from running, and no restart is needed once it is repaired."""
    (tmp_path / "data").write_text("a file stands in the way")
    journal = process_journal(tmp_path / "data")
    for _ in range(2):
        with pytest.raises(JournalUnavailable, match="cannot be opened") as caught:
            journal.submit(draft())
        assert caught.value.certificate is not None
        assert caught.value.certificate.log is None
        assert str(tmp_path) not in str(caught.value.certificate.to_dict())
    (tmp_path / "data").unlink()
    journal.submit(draft()).future.result(20)
    journal.close()


def test_a_failed_beginning_gives_the_file_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signer that fails at the start leaves no open descriptor behind."""
    closed: list[Any] = []

    def create(path: Path) -> Any:
        file = create_file(path)
        monkeypatch.setattr(type(file), "close", lambda self: closed.append(self))
        return file

    monkeypatch.setattr(HmacSigner, "sign", lambda *_: 1 / 0)
    with pytest.raises(Exception, match="sign"):
        process_journal(tmp_path, create=create).open()
    assert len(closed) == 1


def test_closed_is_closed(tmp_path: Path) -> None:
    """After the process's end nothing opens a new journal."""
    journal = process_journal(tmp_path)
    journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.submit(draft())
    journal = process_journal(tmp_path)
    journal.submit(draft()).future.result(20)
    journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.submit(draft())


def test_a_forked_child_is_refused_by_the_parents(tmp_path: Path) -> None:
    """What a call of the parent still holds in the child writes nowhere."""
    journal = process_journal(tmp_path)
    journal.submit(draft()).future.result(20)
    assert journal.path is not None
    size = journal.path.stat().st_size
    journal._lock.acquire()
    journal.forget()
    with pytest.raises(JournalUnavailable, match="forked"):
        journal.submit(draft())
    assert journal.path.stat().st_size == size


def test_a_forked_child_does_not_open_the_parents_later(tmp_path: Path) -> None:
    """The same when the parent was just about to open it."""
    journal = process_journal(tmp_path)
    journal._lock.acquire()
    journal.forget()
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.submit(draft())
    assert list(tmp_path.iterdir()) == []
