"""Requests that the parent proxy carries out itself: plain HTTP to a name that it resolves (absolute-form).

The only leg on which our credentials stand in a request. Its connections lead to the parent proxy, but are kept by
destination as all others are: none is used for another origin, and none ever becomes a tunnel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import ITransport

from eve_proxy.model.decision import Permit
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.tls_fault import tls_fault
from eve_proxy.transport.upstream import Receiver
from eve_proxy.wire.events import ResponseHead
from eve_proxy.wire.serialize import with_authorization

if TYPE_CHECKING:
    from eve_proxy.transport.dialler import Dialler
    from eve_proxy.transport.outgoing import OutgoingExchange
    from eve_proxy.transport.parent import Parent

_UNAUTHENTICATED: Final = 407


def exchange_relayed(
    dialler: Dialler,
    parent: Parent,
    permit: Permit,
    head: bytes,
    body: Sequence[bytes],
    *,
    method: str,
    receiver: Receiver,
) -> OutgoingExchange:
    """As ``Dialler.exchange``, for a permit of mode RELAYED.

    :param dialler: whose ways lead to ``parent`` itself.
    """
    answers = ParentAnswers(parent, receiver)
    head = with_authorization(head, parent.authorization)
    answers.handle = handle = dialler.exchange(permit, head, body, method=method, receiver=answers)
    return handle


class ParentAnswers:
    """A ``Receiver`` that knows what cannot be the origin's: 407 is about our credentials, and ours to deal with.

    :ivar handle: ends the exchange; set by whoever begins it.
    """

    def __init__(self, parent: Parent, receiver: Receiver) -> None:
        self.handle: OutgoingExchange | None = None
        self._parent = parent
        self._receiver = receiver

    def informational(self, head: ResponseHead) -> None:
        """Passed on."""
        self._receiver.informational(head)

    def responseStarted(self, head: ResponseHead) -> None:
        """Passed on, or a failure."""
        if head.status != _UNAUTHENTICATED:
            self._receiver.responseStarted(head)
            return
        if self.handle is not None:
            self.handle.abort()
        self._refused()

    def responseWhole(self, head: ResponseHead, data: bytes) -> None:
        """Passed on, or a failure."""
        if head.status == _UNAUTHENTICATED:
            self._refused()
        else:
            self._receiver.responseWhole(head, data)

    def responseData(self, data: bytes) -> None:
        """Passed on."""
        self._receiver.responseData(data)

    def responseEnded(self, trailers: Headers) -> None:
        """Passed on."""
        self._receiver.responseEnded(trailers)

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        """Passed on, with the name of who failed."""
        prefix = f"parent proxy {self._parent.name}: "
        detail = tls_fault(error.__cause__) or str(error)
        told = error if detail.startswith(prefix) else UpstreamFailed(prefix + detail)
        self._receiver.responseFailed(told, started)

    def upgraded(self, head: ResponseHead, transport: ITransport, rest: bytes) -> None:
        """Nobody asked for it; the reader refuses it before it comes here."""
        transport.abortConnection()  # type: ignore[attr-defined]
        self._receiver.responseFailed(UpstreamFailed("an upgrade that nobody asked for"), False)

    def flush(self) -> None:
        """Passed on."""
        self._receiver.flush()

    def _refused(self) -> None:
        detail = f"parent proxy {self._parent.name}: {self._parent.refusal_of_credentials()}"
        self._receiver.responseFailed(UpstreamFailed(detail), False)
