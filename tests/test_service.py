"""The daemon's life, as far as no socket is needed; the rest is in tests/integration/test_lifecycle.py."""

from __future__ import annotations

import signal
from typing import Any
from unittest import mock

from eve_proxy.service import SidecarService


class Reactor:
    """Counts how often it is stopped."""

    def __init__(self) -> None:
        self.stops = 0

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        function(*arguments)

    def stop(self) -> None:
        self.stops += 1


def test_sigterm_stops_once_and_is_not_what_the_process_dies_of() -> None:
    """An orchestrator's SIGTERM ends in exit code 0, and sending it twice does not disturb the drain."""
    reactor = Reactor()
    service = SidecarService(mock.sentinel.config, (), reactor=reactor)
    service._port = mock.Mock()
    with mock.patch.object(signal, "signal") as install:
        service._running()
    (number, handler), _ = install.call_args
    assert number == signal.SIGTERM
    service.running = 1
    handler(signal.SIGTERM, None)
    assert reactor.stops == 1
    service.running = 0  # what stopService does first
    handler(signal.SIGTERM, None)
    assert reactor.stops == 1
