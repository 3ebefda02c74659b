"""Reading the files that variables name."""

from __future__ import annotations

from pathlib import Path

import pytest

from eve_proxy.settings.files import LARGEST, read_file


@pytest.mark.parametrize(("mode", "lax"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_content_and_mode(tmp_path: Path, mode: int, lax: bool) -> None:
    """The bytes come as they are, and a mode that lets everybody read is noticed."""
    path = tmp_path / "secret"
    path.write_bytes(b"\xffs\n")
    path.chmod(mode)
    content = read_file(str(path))
    assert content.data == b"\xffs\n"
    assert content.world_readable is lax


def test_a_file_that_does_not_end(tmp_path: Path) -> None:
    """A device or a wrong file is refused instead of filling the memory."""
    with pytest.raises(OSError, match="larger than"):
        read_file("/dev/zero")
    path = tmp_path / "large"
    path.write_bytes(b"x" * LARGEST)
    assert len(read_file(str(path)).data) == LARGEST


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The caller can say which."""
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "nothing"))
