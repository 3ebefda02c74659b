"""A listener for /metrics and nothing else (EVE_PROXY_METRICS_PORT): whoever reaches it may read.

It stands beside the proxy: no decision, no upstream, no share in EVE_PROXY_MAX_CONNECTIONS, so that it answers when the
proxy is full. One request per connection, and a connection is over in seconds whatever the scraper does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from eve_proxy.enforcement import answers
from eve_proxy.enforcement.admin import METRICS, accepted
from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed
from eve_proxy.transport.watchdog import Watchdog
from eve_proxy.wire.events import Form, RequestHead
from eve_proxy.wire.request_reader import RequestReader

# Connections at a time; more are closed at once.
MOST: Final = 16
# Seconds from a connection's beginning to its end.
LIFE: Final = 10.0
_US: Final = Authority(host="localhost", port=80)

Render = Callable[[bytes], tuple[bytes, bytes]]


class MetricsPort(ServerFactory):
    """Accepts scrapers.

    :param render: the value of ``Accept`` to content type and body.
    :param clock: tells the time.
    """

    noisy = False

    def __init__(self, render: Render, *, clock: IReactorTime) -> None:
        self.render = render
        self.clock = clock
        self.scrapers: set[Scraper] = set()

    def buildProtocol(self, addr: IAddress | None) -> Scraper | None:
        """A protocol for a new connection, or None, and Twisted closes it."""
        return Scraper(self) if len(self.scrapers) < MOST else None

    def close(self) -> None:
        """Reset what is open."""
        for scraper in list(self.scrapers):
            scraper.transport.abortConnection()


class Scraper(Protocol):
    """One connection: a request's head, an answer, the end."""

    transport: Any

    def __init__(self, port: MetricsPort) -> None:
        self._port = port
        self._reader = RequestReader(default_authority=_US)
        self._watchdog = Watchdog(port.clock, self._expired)
        self._answered = False

    def connectionMade(self) -> None:
        """Its time begins."""
        self._port.scrapers.add(self)
        self._watchdog.set(LIFE)

    def dataReceived(self, data: bytes) -> None:
        """A part of the head; what follows it is not looked at."""
        if self._answered:
            return
        try:
            events = self._reader.feed(data)
        except Malformed as error:
            self._answer(answers.text(error.status, error.detail))
            return
        if events and isinstance(events[0], RequestHead):
            self._answer(self._response(events[0]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self._port.scrapers.discard(self)
        self._watchdog.stop()

    def _response(self, head: RequestHead) -> bytes:
        request = head.request
        head_only = request.method == "HEAD"
        if head.form is not Form.ORIGIN or request.target.partition(b"?")[0] != METRICS:
            return answers.text(404, "only /metrics is here", head_only=head_only)
        if request.method not in ("GET", "HEAD"):
            return answers.text(405, "only GET and HEAD", [(b"Allow", b"GET, HEAD")])
        kind, body = self._port.render(accepted(head))
        return answers.render(200, kind, body, [], head_only=head_only)

    def _answer(self, data: bytes) -> None:
        self._answered = True
        self.transport.write(data)
        # Not closed at once: unread input would make the kernel reset the connection, and destroy the answer.
        self.transport.loseWriteConnection()

    def _expired(self) -> None:
        self.transport.abortConnection()
