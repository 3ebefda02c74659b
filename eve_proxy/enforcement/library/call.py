"""One enforced call: the exchange it is, the pipeline that judges it, and the second certificate when it goes wrong.

One text for plain and coroutine functions: ``waiting`` blocks or suspends. Nothing here waits beyond the call's
deadline, except for writing down a refusal.
"""

from __future__ import annotations

import contextvars
from dataclasses import replace
from typing import Any, Final, NoReturn

from eve_proxy.decision.pipeline import Pipeline
from eve_proxy.decision.posture import failure
from eve_proxy.enforcement.library.deadline import Deadline
from eve_proxy.enforcement.library.errors import FailClosedError
from eve_proxy.enforcement.library.parts import Parts
from eve_proxy.enforcement.library.ports import (
    CallRace,
    CallSink,
    CallText,
    HastySink,
    NoResolver,
    in_place,
    judge_no_address,
)
from eve_proxy.enforcement.library.terms import Terms
from eve_proxy.enforcement.library.waiting import Waiting, drive
from eve_proxy.model.authority import Authority
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import EveError
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import PERMITS

METHOD: Final = "CALL"
SCHEME: Final = "python"
# Where a function's call leads is unknown here. The contract wants a host and a port: a name that never resolves
# (RFC 6761 section 6.4) and a reserved port (RFC 6335 section 6), so that no rule about a destination fits by chance.
NOWHERE: Final = Authority(host="library.invalid", port=65535)
_JSON: Final = Headers.of([(b"Content-Type", b"application/json")])

_latest: contextvars.ContextVar[DecisionCertificate | None] = contextvars.ContextVar("eve_proxy_latest", default=None)


def last_certificate() -> DecisionCertificate | None:
    """The certificate of the latest enforced call that ended in this thread or task; None before the first."""
    return _latest.get()


class Call:
    """Made when the function is called; its deadline runs from then on.

    :ivar waiting: how its caller waits.
    """

    def __init__(
        self, parts: Parts, terms: Terms, waiting: Waiting, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.parts = parts
        self.waiting = waiting
        self.deadline = deadline = Deadline(parts.clock, terms.timeout_s)
        self._exchange = _exchange(parts, terms)
        self._text = CallText(
            terms, args, kwargs, most=parts.max_body, waiting=waiting, judges=parts.judges, deadline=deadline
        )
        self._allow: DecisionCertificate | None = None
        self._source = self._text if terms.run_fmi else None
        self._pipeline = Pipeline(
            head_filters=(),
            body_filters=parts.body_filters,
            governor=parts.governor(terms.timeout_s),
            sink=CallSink(parts.journal, waiting, deadline),
            resolver=NoResolver(),
            judge_address=judge_no_address,
            race=CallRace(waiting, parts.judges, deadline),
            offload=in_place,
            clock=parts.clock,
            entropy=parts.entropy,
            deadline=terms.timeout_s,
            max_content=parts.max_body,
            fail_open=parts.fail_open,
        )

    async def admit(self) -> DecisionCertificate:
        """The recorded allow.

        :raises FailClosedError: there is none, and nothing may run.
        """
        try:
            decision = await self._pipeline.decide(self._exchange, self._source)
        except EveError as error:
            # The pipeline leaves some errors to the edge of a connection. There is none here: judging has failed.
            decision = await self._pipeline.refuse(self._exchange, failure(f"judging failed: {type(error).__name__}"))
        self._exchange = decision.exchange
        certificate = decision.certificate
        if PERMITS[decision.verdict.outcome] is not True or certificate is None:
            _refuse(decision, self._text.failure)
        self._allow = certificate
        if self.deadline.left <= 0:
            await self.veto(self.deadline.text)
        _latest.set(certificate)
        return certificate

    async def veto(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        """Take the allow back with a second certificate, whose parent is the first.

        :raises FailClosedError: always.
        """
        _refuse(await self._taken_back(self._pipeline, reason), cause)

    async def overran(self) -> NoReturn:
        """The veto of a function that was not done at the deadline, or done too late."""
        await self.veto(f"the function did not finish within {self.deadline.seconds:g} s")

    async def raised(self, error: BaseException) -> NoReturn:
        """The veto of a function that raised; a wish to end the program is put on record and passed on as it is."""
        try:
            await self.veto(f"the function raised {type(error).__name__}", error)
        except FailClosedError:
            if isinstance(error, SystemExit | KeyboardInterrupt):
                raise error from None
            raise

    def abandon(self, reason: str) -> None:
        """Take the allow back without waiting until that is durable: whoever called has stopped waiting."""
        pipeline = replace(self._pipeline, sink=HastySink(self.parts.journal))
        drive(self._taken_back(pipeline, reason))

    def succeeded(self, certificate: DecisionCertificate) -> None:
        """The function is done: what ``last_certificate`` says, whatever enforced calls it made itself."""
        _latest.set(certificate)

    async def _taken_back(self, pipeline: Pipeline, reason: str) -> Decision:
        allow, latency = self._allow, self.deadline.elapsed
        return await pipeline.refuse(self._exchange, failure(reason), parent=allow, latency=latency)


def _refuse(decision: Decision, cause: BaseException | None) -> NoReturn:
    _latest.set(decision.certificate)
    raise FailClosedError(decision.verdict.reason, decision.certificate) from cause


def _exchange(parts: Parts, terms: Terms) -> Exchange:
    return Exchange(
        id=_new_id(parts),
        route=Route.LIBRARY,
        request=Request(method=METHOD, scheme=SCHEME, authority=NOWHERE, target=terms.target, headers=_JSON),
        peer="",
        peer_port=0,
        org_id=parts.org_id if terms.org_id is None else terms.org_id,
        caller=terms.caller,
        received_at=parts.clock.wall(),
        coverage=Coverage.FULL if terms.run_fmi else Coverage.NONE,
    )


def _new_id(parts: Parts) -> str:
    return f"cert_{parts.entropy.hex(8)}"
