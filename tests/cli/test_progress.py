"""The progress bar."""

from __future__ import annotations

import io

from eve_proxy.cli.progress import Progress
from tests.cli.test_verify import Terminal


def test_lines_pass_unchanged_and_the_bar_fills() -> None:
    """What is examined is exactly what is in the file, bar or not."""
    lines = [b"x" * 10] * 10
    for terminal in (Terminal(), io.StringIO()):
        with Progress("events", 100, terminal) as progress:
            assert list(progress.over(lines)) == lines
        assert (" 50 %" in terminal.getvalue()) is terminal.isatty()


def test_growing_file_stays_at_hundred() -> None:
    """A journal that is still written does not overflow its bar."""
    terminal = Terminal()
    with Progress("events", 10, terminal) as progress:
        list(progress.over([b"x" * 10] * 3))
    assert "300" not in terminal.getvalue()


def test_empty_file_divides_by_nothing() -> None:
    """An empty journal has no bar."""
    with Progress("events", 0, Terminal()) as progress:
        assert list(progress.over([])) == []
