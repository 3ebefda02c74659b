"""A progress bar for people who wait: on a terminal only, on standard error only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TextIO

_WIDTH = 30


class Progress:
    """Counts bytes of lines as they pass; draws at each whole percent."""

    def __init__(self, name: str, total: int, terminal: TextIO) -> None:
        """``total`` in bytes. Nothing is drawn when ``terminal`` is not one."""
        self._name = name
        self._total = total
        self._terminal = terminal
        self._shown = total > 0 and terminal.isatty()
        self._percent = -1
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._shown:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()

    def over(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The same lines, with the bar following them."""
        if not self._shown:
            return iter(lines)
        return self._drawn(lines)

    def advance(self, size: int) -> None:
        """``size`` more bytes are done."""
        self._done += size
        percent = min(100, 100 * self._done // self._total) if self._shown else self._percent
        if percent != self._percent:
            self._percent = percent
            bar = ("#" * (percent * _WIDTH // 100)).ljust(_WIDTH)
            self._terminal.write(f"\r\x1b[K{self._name} [{bar}] {percent:3d} %")
            self._terminal.flush()

    def _drawn(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.advance(len(line))
            yield line
