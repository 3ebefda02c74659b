"""The reminder beside the journal: what comes back of it, and what is not believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest import mock

import pytest

from eve_proxy.audit.memory import Memory

KEY = bytes(range(32))


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "events.jsonl")


def test_what_is_kept_comes_back(memory: Memory) -> None:
    """The next session knows the settings of this one; only the owner can read the file."""
    assert memory.recall() is None
    memory.keep(KEY, {"EVE_PROXY_PORT": "sha256-00"})
    assert memory.recall() == (KEY, {"EVE_PROXY_PORT": "sha256-00"})
    memory.keep(KEY, {})
    assert memory.recall() == (KEY, {})
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600
    assert [path.name for path in memory.path.parent.iterdir()] == ["events.config.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b'{"key":"00","variables":{}}', b'{"key":5,"variables":{}}', b"\xff",
     b'{"key":"%b","variables":[]}' % KEY.hex().encode(), b'{"key":"%b","variables":{"a":1}}' % KEY.hex().encode()],
)  # fmt: skip
def test_something_else_is_not_believed(memory: Memory, content: bytes) -> None:
    """A damaged file is as good as none, and does not keep the daemon from starting."""
    memory.path.write_bytes(content)
    assert memory.recall() is None


def test_a_crash_leaves_the_old_one(memory: Memory) -> None:
    """The file is replaced as a whole: a write that fails half-way changes nothing, and does not block the next."""
    memory.keep(KEY, {"a": "1"})
    with (
        mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")),
        pytest.raises(OSError, match="space"),
    ):
        memory.keep(KEY, {"a": "2"})
    assert memory.recall() == (KEY, {"a": "1"})
    memory.keep(KEY, {"a": "3"})
    assert memory.recall() == (KEY, {"a": "3"})


def test_a_link_is_not_written_through(memory: Memory, tmp_path: Path) -> None:
    """A link under the name of the new file is removed and not followed."""
    target = tmp_path / "target"
    target.write_text("precious")
    os.symlink(target, str(memory.path) + ".new")
    memory.keep(KEY, {})
    assert target.read_text() == "precious"
