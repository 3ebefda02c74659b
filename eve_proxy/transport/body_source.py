"""A request body while it arrives: counted, hashed and held piece by piece, for the judge to read once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from eve_proxy.interfaces import IBodySource
from eve_proxy.model.body import Body
from eve_proxy.model.errors import BodyInterrupted, BodyTooLarge, EveError, Overloaded
from eve_proxy.transport.limits import BufferAccount

NO_BODY = Body(chunks=(), size=0, sha256=hashlib.sha256(b"").hexdigest(), content=b"")


@implementer(IBodySource)
class IncomingBody:
    """The body of one request.

    :param declared: Content-Length, or None when chunked.
    :param limit: EVE_PROXY_MAX_BODY.
    :param invite: called when the judge wants the body and nothing of it has come yet (``100 Continue``).
    :ivar complete: every byte has arrived, or the body has failed: nothing more is awaited.
    :ivar arrived: every byte has arrived, so that the next message can begin.
    :ivar size: bytes held.
    """

    __slots__ = (
        "_account",
        "_chunks",
        "_declared",
        "_digest",
        "_failure",
        "_held",
        "_invite",
        "_limit",
        "_waiting",
        "arrived",
        "complete",
        "size",
    )

    def __init__(
        self, *, declared: int | None, limit: int, account: BufferAccount, invite: Callable[[], object]
    ) -> None:
        self._limit = limit
        self._declared = declared
        self._account = account
        self._invite = invite
        self._chunks: list[bytes] = []
        self._digest: hashlib._Hash | None = None
        self._failure: EveError | None = None
        self._waiting: Deferred[Body] | None = None
        self.size = self._held = 0
        self.complete = self.arrived = False
        if declared is not None and declared > limit:
            self.complete = True
            self._failure = BodyTooLarge("Content-Length exceeds EVE_PROXY_MAX_BODY")

    async def read(self) -> Body:
        """See ``IBodySource.read``."""
        if self._failure is not None:
            raise self._failure
        if self.arrived:
            return self._body()
        waiting: Deferred[Body] = Deferred()
        self._waiting = waiting
        if not self.size:
            self._invite()
        return await waiting

    def narrow(self, limit: int) -> None:
        """Take at most ``limit`` bytes, where EVE_PROXY_MAX_BODY is more than anybody wants; before it is read."""
        self._limit = min(self._limit, limit)
        if max(self.size, self._declared or 0) > self._limit:
            self.fail(BodyTooLarge(f"the body exceeds {self._limit} bytes"))

    def hold(self, size: int) -> None:
        """See ``IBodySource.hold``."""
        self._account.take(size)
        self._held += size

    def add(self, data: bytes) -> None:
        """A piece arrived."""
        if self._failure is not None:
            return
        size = len(data)
        if self.size + size > self._limit:
            self.fail(BodyTooLarge("the body exceeds EVE_PROXY_MAX_BODY"))
            return
        try:
            self._account.take(size)
        except Overloaded as error:
            self.fail(error)
            return
        self.size += size
        chunks = self._chunks
        if chunks:
            # A body in pieces is hashed as they come; the usual one, in one piece, when it is asked for.
            if self._digest is None:
                self._digest = hashlib.sha256(chunks[0])
            self._digest.update(data)
        chunks.append(data)

    def finish(self) -> None:
        """The last piece was there."""
        self.complete = self.arrived = True
        if self._waiting is not None and self._failure is None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(self._body())

    def fail(self, error: EveError) -> None:
        """Nothing will come of it: the judge learns why, the memory is given back."""
        if self._failure is not None:
            return
        self._failure = error
        self.complete = True
        self.release()
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.errback(error)

    def interrupt(self) -> None:
        """The client went away."""
        if not self.arrived:
            self.fail(BodyInterrupted("the client went away before its body was complete"))

    def release(self) -> None:
        """The bytes are sent or refused: the account gets them back."""
        self._account.give_back(self.size + self._held)
        self.size = self._held = 0
        self._chunks = []

    def _body(self) -> Body:
        if not self.size:
            return NO_BODY
        if self._digest is None:
            content = self._chunks[0]
            digest = hashlib.sha256(content)
        else:
            content = b"".join(self._chunks)
            digest = self._digest
        return Body(chunks=(content,), size=self.size, sha256=digest.hexdigest(), content=content)
