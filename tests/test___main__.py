"""``python -m eve_proxy``."""

from __future__ import annotations

import sys

import pytest

from eve_proxy import __main__


def test_it_is_the_guides_quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs the sidecar in the foreground, without a pid file, and passes arguments on."""
    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["eve_proxy", "--decision-log", "x"])
    monkeypatch.setattr(__main__, "run", lambda: seen.append([*sys.argv]))
    __main__.main()
    assert seen == [["twistd", "-n", "--pidfile=", "eve-sidecar", "--decision-log", "x"]]
