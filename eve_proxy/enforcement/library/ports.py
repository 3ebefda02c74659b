"""What the pipeline asks of one call: its text, the race against its deadline, and where it is written down."""

from __future__ import annotations

import contextvars
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final

from zope.interface import implementer

from eve_proxy.enforcement.library.call_text import document_of
from eve_proxy.enforcement.library.deadline import Deadline
from eve_proxy.enforcement.library.parts import Journal
from eve_proxy.enforcement.library.runners import Runners
from eve_proxy.enforcement.library.terms import Terms
from eve_proxy.enforcement.library.waiting import Waiting, drive
from eve_proxy.interfaces import IAuditSink, IBodySource, IResolver
from eve_proxy.model.authority import IPAddress
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import DecisionCertificate, Draft
from eve_proxy.model.errors import BodyTooLarge, JudgingFailed, ResolveFailed
from eve_proxy.model.verdict import PERMITS, Outcome, Verdict, refuse

# Arguments of these types are read without running anybody's code.
_PLAIN: Final = frozenset((str, bytes, int, float, bool, type(None)))


@implementer(IBodySource)
class CallText:
    """The call's text, as the body that is judged.

    :ivar failure: what kept it from being read, or None.
    """

    def __init__(
        self,
        terms: Terms,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        most: int,
        waiting: Waiting,
        judges: Runners,
        deadline: Deadline,
    ) -> None:
        self.failure: BaseException | None = None
        self._terms = terms
        self._args = args
        self._kwargs = kwargs
        self._most = most
        self._waiting = waiting
        self._judges = judges
        self._deadline = deadline

    async def read(self) -> Body:
        """See ``IBodySource``.

        :raises BodyTooLarge: more than EVE_PROXY_MAX_BODY bytes.
        :raises JudgingFailed: it cannot be read, or not in time.
        """
        if self._waiting.blocks and not callable(self._terms.fmi_input) and self._is_plain():
            return self._body()
        # A callable fmi_input and foreign containers are somebody else's code: bounded by the deadline, off the loop.
        future: Future[Body] = self._judges.submit(contextvars.copy_context().run, self._body)
        try:
            if not await self._waiting.settled(future, self._deadline.left):
                raise self._deadline.exceeded()
        finally:
            future.cancel()
        return future.result()

    def hold(self, size: int) -> None:
        """A call's text has no content coding: nothing is made of it."""

    def _body(self) -> Body:
        try:
            data = document_of(self._terms, self._args, self._kwargs, self._most)
        except BodyTooLarge:
            raise
        # Whatever it is, an exit that fmi_input asks for included: without its text a call is not judged.
        except BaseException as error:
            self.failure = error
            said = str(error) if isinstance(error, JudgingFailed) else type(error).__name__
            raise JudgingFailed(f"the call's text cannot be read: {said}") from error
        return Body(chunks=(data,), size=len(data), sha256=hashlib.sha256(data).hexdigest(), content=data)

    def _is_plain(self) -> bool:
        values = (*self._args, *self._kwargs.values(), *self._terms.held, *self._terms.named.values())
        return _PLAIN.issuperset(map(type, values))


class CallRace:
    """``interfaces.Race``: judges in a thread, while the caller waits until the deadline at the latest."""

    def __init__(self, waiting: Waiting, judges: Runners, deadline: Deadline) -> None:
        self._waiting = waiting
        self._judges = judges
        self._deadline = deadline

    async def __call__(self, awaitable: Awaitable[Verdict], seconds: float) -> Verdict:
        """What ``awaitable`` says; an awaitable that no thread took in time is never started.

        :raises DeadlineExceeded: it says nothing in time.
        """
        left = min(seconds, self._deadline.left)
        future: Future[Verdict] | None = None
        try:
            if not left > 0:
                raise self._deadline.exceeded()
            future = self._judges.submit(drive, awaitable)
            if not await self._waiting.settled(future, left):
                raise self._deadline.exceeded()
        finally:
            if (future is None or future.cancel()) and isinstance(awaitable, Coroutine):
                awaitable.close()
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            # A judge that wants to end the program has failed like any other.
            raise JudgingFailed(f"judging failed: {type(error).__name__}") from error
        return future.result()


@implementer(IAuditSink)
class CallSink:
    """Waits until a record is durable: an allow no longer than the call has, a refusal EVE_PROXY_AUDIT_TIMEOUT."""

    def __init__(self, journal: Journal, waiting: Waiting, deadline: Deadline) -> None:
        self._journal = journal
        self._waiting = waiting
        self._deadline = deadline

    async def record(self, draft: Draft) -> DecisionCertificate:
        """See ``IAuditSink``."""
        entry = self._journal.submit(draft)
        seconds = self._journal.timeout
        if draft.verdict is not None and PERMITS[Outcome(draft.verdict)] is not False:
            seconds = min(seconds, self._deadline.left)
        done = False
        try:
            done = await self._waiting.settled(entry.future, seconds)
        finally:
            refusal = None if done else self._journal.give_up(entry)
        if refusal is not None:
            raise refusal
        return entry.future.result()


@implementer(IAuditSink)
class HastySink:
    """Submits, for a caller that has stopped waiting; whether it becomes durable nobody waits to hear."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def record(self, draft: Draft) -> DecisionCertificate:
        """See ``IAuditSink``."""
        return self._journal.submit(draft).certificate


@implementer(IResolver)
class NoResolver:
    """A call has no destination; the pipeline does not ask on this route."""

    async def resolve(self, host: str) -> tuple[IPAddress, ...]:
        """Nothing is ever looked up."""
        raise ResolveFailed(f"{host} is no destination")


def judge_no_address(address: IPAddress, port: int) -> Verdict:
    """No address is one of a call's."""
    return refuse("destination", f"{address}:{port} is no destination of a call")


async def in_place(function: Callable[..., Any], *arguments: Any) -> Any:
    """An ``offload`` for judges, which run in a thread already."""
    return function(*arguments)
