"""The answer to one governance call, collected whole, and every way of not getting one in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred

from eve_proxy.model.errors import GovernorMisbehaved, GovernorUnavailable, JudgingFailed, UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.tls_fault import tls_fault
from eve_proxy.transport.upstream import Unintelligible
from eve_proxy.wire.events import ResponseHead

Answer = tuple[int, Headers, bytes]

# governance-api.md, "Answer".
_MOST: Final = 1024 * 1024


class GovernanceAnswer:
    """A ``Receiver`` that fires ``result`` once.

    :ivar abort: ends the exchange; set by whoever starts it.
    """

    def __init__(self) -> None:
        self.result: Deferred[Answer] = Deferred(self._cancelled)
        self.abort: Callable[[], object] = _nothing
        self._head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    def _cancelled(self, _: Any) -> None:
        self.abort()

    def informational(self, head: ResponseHead) -> None:
        """The final answer follows."""

    def responseStarted(self, head: ResponseHead) -> None:
        """Status and headers."""
        self._head = head
        if (head.content_length or 0) > _MOST:
            self._give_up()

    def responseWhole(self, head: ResponseHead, data: bytes) -> None:
        """The usual answer."""
        if len(data) > _MOST:
            self.result.errback(_too_large())
        else:
            self.result.callback((head.status, head.headers, data))

    def responseData(self, data: bytes) -> None:
        """A piece of the body."""
        self._size += len(data)
        self._pieces.append(data)
        if self._size > _MOST:
            self._give_up()

    def flush(self) -> None:
        """Nothing is passed on before the end."""

    def responseEnded(self, trailers: Headers) -> None:
        """All of it is here."""
        assert self._head is not None
        self.result.callback((self._head.status, self._head.headers, b"".join(self._pieces)))

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        """There is no answer."""
        self.result.errback(describe(error))

    def upgraded(self, head: ResponseHead, transport: Any, rest: bytes) -> None:
        """Nobody asked for that; the reader refuses it before it comes here."""
        transport.abortConnection()
        self.result.errback(GovernorMisbehaved("governance service: an unexpected upgrade"))

    def _give_up(self) -> None:
        self._pieces.clear()
        self.abort()
        self.result.errback(_too_large())


def _too_large() -> GovernorMisbehaved:
    return GovernorMisbehaved("governance service: an answer of more than 1 MiB")


def describe(error: UpstreamFailed) -> JudgingFailed:
    """The same failure, as the pipeline knows it. Its text becomes the certificate's reason."""
    if isinstance(error, Unintelligible):
        return GovernorMisbehaved(f"governance service: {error}")
    return GovernorUnavailable(f"governance service: {tls_fault(error.__cause__) or error}")


def _nothing() -> None:
    """Not started yet."""
